//! The `bootstrap` of the warehouse loader.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    pipeline::lambda::run(load::handler::handle).await
}
