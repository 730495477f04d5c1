//! The account of an environment: AWS, or the local account.

use crate::aws::Aws;
use crate::error::Result;
use crate::project::Project;
use crate::spec::Spec;

/// An open account. The local one lives as long as this.
pub(crate) struct Account {
    pub(crate) aws: Aws,
    #[cfg(feature = "rehearse")]
    pub(crate) local: Option<(pipectl_emulator::account::LocalAccount, pipectl_emulator::account::Endpoint)>,
}

impl Account {
    /// Opens the account, and starts it if it is the local one.
    #[cfg(feature = "rehearse")]
    pub(crate) async fn open(project: &Project, spec: &Spec) -> Result<Self> {
        let environment = &spec.environment;
        if !environment.local {
            return Ok(Self { aws: Aws::connect(environment, None).await?, local: None });
        }
        let folder = project.state().join(&spec.environment_name);
        let account =
            pipectl_emulator::account::LocalAccount::open(&folder, &environment.account, &environment.region)?;
        let endpoint = account.serve(environment.port.unwrap_or(0)).await?;
        let aws = Aws::connect(environment, Some((&endpoint.url(), &account.access_key("local")))).await?;
        Ok(Self { aws, local: Some((account, endpoint)) })
    }

    /// Opens the account. This binary was built without the local one.
    #[cfg(not(feature = "rehearse"))]
    pub(crate) async fn open(_: &Project, spec: &Spec) -> Result<Self> {
        if spec.environment.local {
            return Err(crate::error::Error::new("this pipectl was built without the local account")
                .hint("install the full one, or choose another environment with `--env`"));
        }
        Ok(Self { aws: Aws::connect(&spec.environment, None).await? })
    }

    /// Closes the account; the local one writes what it knows.
    #[cfg_attr(not(feature = "rehearse"), expect(clippy::unused_async, reason = "the local account is awaited"))]
    pub(crate) async fn close(self) -> Result<()> {
        #[cfg(feature = "rehearse")]
        if let Some((_, endpoint)) = self.local {
            endpoint.stop().await?;
        }
        Ok(())
    }
}
