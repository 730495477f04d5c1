//! HTTP for Shopify on the connector that the AWS SDK brings, so that a Lambda holds one HTTP and one TLS stack.

use std::time::Duration;

use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorSettings, SharedHttpConnector};
use aws_smithy_runtime_api::http::Request;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use pipeline::error::chain;

/// How long a server may keep silent: before its answer starts, and within it.
const SILENCE: Duration = Duration::from_mins(1);

/// The most that is kept of an answer that is read whole.
const LARGEST: usize = 4 << 20;

#[derive(Clone, Debug)]
pub struct Http {
    connector: SharedHttpConnector,
}

/// An answer whose body has not been read.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub retry_after: Option<String>,
    pub api_version: Option<String>,
    /// When the server answered, by its own clock.
    pub date: Option<String>,
    body: ByteStream,
}

impl Http {
    #[expect(clippy::new_without_default, reason = "it loads the certificates of the system")]
    pub fn new() -> Self {
        let settings =
            HttpConnectorSettings::builder().connect_timeout(Duration::from_secs(10)).read_timeout(SILENCE).build();
        let connector = aws_smithy_http_client::Connector::builder()
            .connector_settings(settings)
            .sleep_impl(aws_smithy_async::rt::sleep::TokioSleep::new())
            .tls_provider(pipeline::aws::TLS)
            .build();
        Self { connector: SharedHttpConnector::new(connector) }
    }

    /// Sends a request; the error is a sentence about the transport.
    pub async fn send(
        &self,
        method: &str,
        url: &str,
        headers: &[(&str, String)],
        body: String,
    ) -> Result<Answer, String> {
        let mut request = Request::new(SdkBody::from(body));
        request.set_method(method).map_err(|error| chain(&error))?;
        request.set_uri(url).map_err(|error| chain(&error))?;
        for (name, value) in headers {
            request
                .headers_mut()
                .try_insert((*name).to_owned(), value.clone())
                // The value may be a token, so the error is not printed.
                .map_err(|_| format!("the value of the header {name} is not printable ASCII"))?;
        }
        let response = self.connector.call(request).await.map_err(|error| chain(&error))?;
        let header = |name| response.headers().get(name).map(str::to_owned);
        Ok(Answer {
            status: response.status().as_u16(),
            retry_after: header("retry-after"),
            api_version: header("x-shopify-api-version"),
            date: header("date"),
            body: ByteStream::new(response.into_body()),
        })
    }
}

impl Answer {
    /// Waits for the next piece of the body; `None` at its end.
    pub async fn next(&mut self) -> Result<Option<impl AsRef<[u8]> + use<>>, String> {
        match tokio::time::timeout(SILENCE, self.body.next()).await {
            Ok(piece) => piece.transpose().map_err(|error| chain(&error)),
            Err(_) => Err(format!("no byte for {} s", SILENCE.as_secs())),
        }
    }

    /// Reads a body that is meant to be short.
    pub async fn bytes(mut self) -> Result<Vec<u8>, String> {
        let mut bytes = Vec::new();
        while let Some(piece) = self.next().await? {
            bytes.extend_from_slice(piece.as_ref());
            if bytes.len() > LARGEST {
                return Err(format!("the answer is longer than {LARGEST} bytes"));
            }
        }
        Ok(bytes)
    }
}
