//! The `bootstrap` of the Shopify ingest.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    pipeline::lambda::serve(shopify::handler::handle).await
}
