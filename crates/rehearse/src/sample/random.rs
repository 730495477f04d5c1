//! Random numbers that are the same everywhere: `ChaCha8`, with a stream for each entity.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sha2::{Digest, Sha256};

/// What a stream of random numbers is for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Customer = 1,
    Product = 2,
    Order = 3,
    Store = 4,
    Supply = 5,
    Visit = 6,
    Payment = 7,
    Inventory = 8,
}

/// The random numbers of one entity.
#[derive(Debug)]
pub(super) struct Random(ChaCha8Rng);

impl Random {
    pub(super) fn of(seed: u64, kind: Kind, index: u64) -> Self {
        let key = Sha256::new().chain_update(b"pipectl sample").chain_update(seed.to_le_bytes()).finalize();
        let mut random = ChaCha8Rng::from_seed(key.into());
        random.set_stream(((kind as u64) << 56) | index);
        Self(random)
    }

    /// A number below `end`, which must not be 0. The bias for the small ranges used here is below one in a billion.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        let product = u128::from(self.0.next_u64()) * u128::from(end);
        u64::try_from(product >> 64).unwrap_or_default()
    }

    pub(super) fn between(&mut self, first: u64, last: u64) -> u64 {
        first + self.below(last - first + 1)
    }

    /// True in so many of a hundred cases.
    pub(super) fn percent(&mut self, share: u64) -> bool {
        self.below(100) < share
    }

    pub(super) fn pick<'a, T: ?Sized>(&mut self, choices: &[&'a T]) -> &'a T {
        let index = usize::try_from(self.below(choices.len() as u64)).unwrap_or_default();
        choices[index]
    }

    /// A random identifier in the form of a UUID of version 4.
    pub(super) fn uuid(&mut self) -> String {
        let (high, low) = (self.0.next_u64(), self.0.next_u64());
        format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            high >> 32,
            high >> 16 & 0xffff,
            high & 0xfff,
            low >> 48 & 0x3fff | 0x8000,
            low & 0xffff_ffff_ffff
        )
    }

    /// Picks by weight; the weights are of any scale.
    pub(super) fn weighted<T: Copy>(&mut self, choices: &[(u64, T)]) -> T {
        let total = choices.iter().map(|(weight, _)| weight).sum();
        let mut at = self.below(total);
        for (weight, choice) in choices {
            if at < *weight {
                return *choice;
            }
            at -= weight;
        }
        choices[0].1
    }
}
