use super::*;
use crate::project::built_in;

/// The reference pipeline in one of its environments, with the environment's file changed.
fn spec(environment: &str, change: impl Fn(String) -> String) -> Spec {
    let file = |path: &str| built_in(path).unwrap();
    let place = file(&format!("stacks/{environment}.yaml"));
    let place = Source::new(place.name.clone(), change(place.text.clone()));
    Spec::load(&file("stacks/pipeline.yaml"), &place, environment).unwrap()
}

fn rendered(environment: &str) -> Vec<RenderedStack> {
    stacks(&spec(environment, |text| text), &|path| Ok(built_in(path))).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn write_out() {
    for environment in ["dev", "prod", "local"] {
        for stack in rendered(environment) {
            let dir = format!("/tmp/out-templates/{environment}");
            std::fs::create_dir_all(&dir).unwrap();
            std::fs::write(format!("{dir}/{}.yaml", stack.name), &stack.text).unwrap();
        }
    }
}

#[test]
fn timing() {
    let spec = spec("dev", |text| text);
    for _ in 0..2 {
        let start = std::time::Instant::now();
        let engine = engine::Engine::load(&STACKS, &|path| Ok(built_in(path))).unwrap();
        let load = start.elapsed();
        let start = std::time::Instant::now();
        let context = context::context(&spec).unwrap();
        let ctx = start.elapsed();
        for name in STACKS {
            let start = std::time::Instant::now();
            let text = engine.render(name, &context).unwrap();
            let rendered = start.elapsed();
            let start = std::time::Instant::now();
            crate::yaml::parse(&text).unwrap();
            let yaml = start.elapsed();
            let start = std::time::Instant::now();
            Template::parse(&text).unwrap();
            eprintln!("{name}: render {rendered:?} yaml {yaml:?} template {:?}", start.elapsed());
        }
        eprintln!("load {load:?} context {ctx:?}");
    }
}
