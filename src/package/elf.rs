//! Whether Lambda can start a binary: its processor, and the C library that it needs. Pure.

use std::fmt;

use object::endian::Endianness;
use object::read::elf::FileHeader;
use object::{elf, read};

use crate::error::{Error, Result};
use crate::spec::Architecture;

/// The C library of `provided.al2023`.
pub(super) const NEWEST_GLIBC: Version = Version(2, 34);

/// A version of the C library.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version(pub(super) u32, pub(super) u32);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

/// What a binary says about where it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Needs {
    /// `None` when Lambda has no such processor.
    pub(super) architecture: Option<Architecture>,
    /// The newest version of the C library that a symbol asks for; `None` when it is linked statically.
    pub(super) glibc: Option<Version>,
}

/// Why a binary does not run on Lambda.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unfit {
    Architecture,
    Glibc(Version),
}

/// Reads the header and the symbol versions of a 64-bit ELF binary.
pub(super) fn read(name: &str, binary: &[u8]) -> Result<Needs> {
    parse(binary).map_err(|error| {
        Error::new(format!("the binary `{name}` is not a 64-bit Linux program")).cause(&error).hint(
            "build it for Linux, for example with `cargo zigbuild --release --target x86_64-unknown-linux-gnu.2.34`",
        )
    })
}

/// Compares what a binary needs with what Lambda gives.
pub(super) fn check(needs: Needs, target: Architecture) -> std::result::Result<(), Unfit> {
    match needs {
        Needs { architecture, .. } if architecture != Some(target) => Err(Unfit::Architecture),
        Needs { glibc: Some(glibc), .. } if glibc > NEWEST_GLIBC => Err(Unfit::Glibc(glibc)),
        _ => Ok(()),
    }
}

fn parse(binary: &[u8]) -> read::Result<Needs> {
    let header = elf::FileHeader64::<Endianness>::parse(binary)?;
    let endian = header.endian()?;
    let architecture = match header.e_machine(endian) {
        elf::EM_X86_64 => Some(Architecture::X86_64),
        elf::EM_AARCH64 => Some(Architecture::Arm64),
        _ => None,
    };
    let sections = header.sections(endian, binary)?;
    let mut glibc = None;
    if let Some((mut needs, link)) = sections.gnu_verneed(endian, binary)? {
        let strings = sections.strings(endian, binary, link)?;
        while let Some((_, mut versions)) = needs.next()? {
            while let Some(version) = versions.next()? {
                glibc = glibc.max(version_of(version.name(endian, strings)?));
            }
        }
    }
    Ok(Needs { architecture, glibc })
}

/// Reads `GLIBC_2.34`; names such as `GLIBC_PRIVATE` and those of other libraries have no version.
fn version_of(name: &[u8]) -> Option<Version> {
    let (major, rest) = std::str::from_utf8(name).ok()?.strip_prefix("GLIBC_")?.split_once('.')?;
    let minor = rest.split('.').next()?;
    Some(Version(major.parse().ok()?, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_and_compared_as_numbers() {
        for (name, expected) in [
            ("GLIBC_2.34", Some(Version(2, 34))),
            ("GLIBC_2.2.5", Some(Version(2, 2))),
            ("GLIBC_PRIVATE", None),
            ("GCC_3.0", None),
        ] {
            assert_eq!(version_of(name.as_bytes()), expected, "{name}");
        }
        assert!(Version(2, 4) < Version(2, 34));
    }

    #[test]
    fn the_test_binary_itself_is_read() {
        let binary = fs_err::read(std::env::current_exe().unwrap()).unwrap();
        let needs = read("test", &binary).unwrap();
        assert_eq!(needs.architecture.is_some(), cfg!(any(target_arch = "x86_64", target_arch = "aarch64")));
        assert!(needs.glibc.is_none_or(|glibc| glibc > Version(2, 0)), "{needs:?}");
    }

    #[test]
    fn incompatible_binaries_are_reported() {
        let needs = |architecture, glibc| Needs { architecture: Some(architecture), glibc };
        let x86 = Architecture::X86_64;
        assert_eq!(check(needs(x86, Some(Version(2, 34))), x86), Ok(()));
        assert_eq!(check(needs(x86, None), x86), Ok(()));
        assert_eq!(check(needs(x86, Some(Version(2, 35))), x86), Err(Unfit::Glibc(Version(2, 35))));
        assert_eq!(check(needs(Architecture::Arm64, None), x86), Err(Unfit::Architecture));
        let error = read("load", b"#!/bin/sh\n").unwrap_err().to_string();
        assert!(error.contains("`load`") && error.contains("zigbuild"), "{error}");
    }
}
