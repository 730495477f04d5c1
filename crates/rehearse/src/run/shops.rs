//! What happens in the shops later: webhooks first, where the pipeline takes them, and then the schedules again.

use pipectl_contract::names::environment;

use super::{Run, explain};
use crate::error::Result;
use crate::resource::Resource;
use crate::shopify::StandIn;
use crate::timeline::{Kind, Severity};
use pipectl_emulator::events;

impl Run<'_> {
    /// Executes each step in the shops. The schedule runs after each one, but where webhooks bring the changes
    /// only after the last: so it is seen what they alone bring.
    pub(super) async fn change_shops(&mut self) -> Result<()> {
        let steps = self.pipeline.shops.values().map(StandIn::steps).max().unwrap_or_default();
        for step in 0..steps {
            let names: Vec<String> = self.pipeline.shops.keys().cloned().collect();
            let mut reported = false;
            for name in names {
                let Some(shop) = self.pipeline.shops.get(&name) else { continue };
                let Some((folder, webhooks)) = shop.change(step)? else { continue };
                self.timeline.happened(Kind::Shop, &name, folder);
                let Some((source, store)) = self.webhooks_of(&name) else { continue };
                reported = true;
                for (number, webhook) in webhooks.iter().enumerate() {
                    let id = format!("00000000-0000-4000-8000-{step:06x}{number:06x}");
                    let from = (source.as_str(), store.as_str());
                    let event = events::webhook(&self.pipeline.resources, from, &webhook.topic, &id, &webhook.payload);
                    let (reached, stops) = self.deliver(&event, &format!("webhook {}", webhook.topic));
                    if !reached {
                        let text = format!("nothing starts when the webhook {} arrives", webhook.topic);
                        self.timeline.find(Severity::Error, format!("{text}\n{}", explain(&stops)));
                    }
                }
            }
            self.until_quiet().await?;
            if !reported || step + 1 == steps {
                self.fire_schedules();
                self.until_quiet().await?;
            }
        }
        Ok(())
    }

    /// The partner event source of a shop and its domain, if the pipeline takes its webhooks.
    fn webhooks_of(&self, name: &str) -> Option<(String, String)> {
        let functions = self.pipeline.resources.of("AWS::Lambda::Function");
        let reads = |function: &&Resource| function.variable(environment::SOURCE) == Some(name);
        let function = functions.into_iter().find(reads)?;
        let calls = |rule: &&Resource| {
            let targets = rule.list("/Targets").iter().filter_map(|target| target["Arn"].as_str());
            targets.into_iter().any(|arn| arn.ends_with(&format!(":function:{}", function.name)))
        };
        let rule = self.pipeline.resources.of("AWS::Events::Rule").find(calls)?;
        let bus = rule.text("/EventBusName").filter(|bus| bus.starts_with("aws.partner/"))?;
        Some((bus.to_owned(), self.pipeline.shops.get(name)?.domain.clone()))
    }
}
