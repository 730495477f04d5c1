//! Restores archived objects, which a replay needs to read.

use crate::aws::S3;
use crate::aws::s3::Object;
use crate::error::{Error, Result};
use crate::exit::Exit;

/// How many days a restored object can be read.
pub const RESTORED_DAYS: i32 = 7;

/// The retrieval tier of a restore.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tier {
    Bulk,
    Standard,
    Expedited,
}

impl Tier {
    /// The name in S3's API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bulk => "Bulk",
            Self::Standard => "Standard",
            Self::Expedited => "Expedited",
        }
    }

    /// How long S3 takes to restore an object of a storage class (user guide, "Archive retrieval options").
    pub fn time(self, class: &str) -> &'static str {
        match (class, self) {
            ("DEEP_ARCHIVE", Self::Bulk) => "up to 48 hours",
            ("DEEP_ARCHIVE", _) => "up to 12 hours",
            (_, Self::Bulk) => "5 to 12 hours",
            (_, Self::Expedited) => "1 to 5 minutes",
            (_, Self::Standard) => "3 to 5 hours",
        }
    }
}

/// The objects that are not being restored yet. Fails if the tier cannot restore one of them.
pub fn to_restore<'a>(archived: &[(&'a Object, bool)], tier: Tier) -> Result<Vec<&'a Object>> {
    let objects: Vec<&Object> = archived.iter().filter(|(_, soon)| !soon).map(|(object, _)| *object).collect();
    if tier == Tier::Expedited && objects.iter().any(|object| object.class == "DEEP_ARCHIVE") {
        return Err(Error::new("DEEP_ARCHIVE knows no expedited restore")
            .hint("choose `--tier standard`")
            .exit(Exit::Usage));
    }
    Ok(objects)
}

/// Asks S3 to restore objects. `status` is called with the number of each.
pub async fn restore(s3: &S3, archive: &str, objects: &[&Object], tier: Tier, status: &dyn Fn(usize)) -> Result<()> {
    for (number, object) in objects.iter().enumerate() {
        status(number + 1);
        s3.restore(archive, object, tier.name(), RESTORED_DAYS).await?;
    }
    Ok(())
}
