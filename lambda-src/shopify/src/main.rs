//! The `bootstrap` of the Shopify ingest.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    pipeline::lambda::run(async |_event, deadline| shopify::handler::handle(deadline).await).await
}
