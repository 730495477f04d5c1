//! What Spark reads and writes: here in plain folders, on AWS by calls of S3 with the role of the job.

use std::collections::BTreeSet;

use super::{Authorizer, role_name};
use crate::iam::Request;

/// The objects that a job touched without asking S3, as `(bucket, key)`.
#[derive(Debug, Clone, Default)]
pub struct Touched {
    pub read: BTreeSet<(String, String)>,
    pub written: BTreeSet<(String, String)>,
    pub deleted: BTreeSet<(String, String)>,
}

impl Authorizer {
    /// Authorizes the calls that a job's Spark would have made for these objects.
    pub fn touched(&self, role: &str, touched: &Touched) {
        let role = role_name(role);
        let mut listed = BTreeSet::new();
        let mut requests = BTreeSet::new();
        let object = |action: &str, bucket: &str, key: &str| {
            Request::of_role(role, action, &format!("arn:aws:s3:::{bucket}/{key}"))
        };
        for (bucket, key) in &touched.read {
            requests.insert(object("s3:GetObject", bucket, key));
            listed.insert((bucket.as_str(), folder(key)));
        }
        for (bucket, key) in &touched.written {
            requests.insert(object("s3:PutObject", bucket, key));
            // Spark's committer writes beside its goal, and takes that away when all is there.
            requests.insert(object("s3:DeleteObject", bucket, &format!("{}_temporary/0", folder(key))));
            listed.insert((bucket.as_str(), folder(key)));
        }
        for (bucket, key) in &touched.deleted {
            requests.insert(object("s3:DeleteObject", bucket, key));
        }
        requests.extend(listed.into_iter().map(|(bucket, folder)| {
            Request::of_role(role, "s3:ListBucket", &format!("arn:aws:s3:::{bucket}")).with("s3:prefix", folder)
        }));
        for request in &requests {
            let _ = self.ask(request);
        }
    }
}

/// `orders/batch=1/part.parquet` → `orders/batch=1/`.
fn folder(key: &str) -> &str {
    key.rfind('/').map_or("", |end| &key[..=end])
}
