//! The outputs as JSON Schema (draft 2020-12), for programs that read or check them.
//!
//! The files in `schemas/` are generated from the types by the test below, which fails when the two differ; run it with
//! `WRITE_SCHEMAS=1` to accept a change. Their `$id` ends in [`VERSION`]: it rises when a field goes or changes its
//! meaning, not when one is added.

/// Version of all schemas.
pub const VERSION: u32 = 1;

/// Every schema by name. `plan`, `blocks`, `clusters` and `removed` describe a line, `summary` the file, `options` what
/// a run may be told (and what `summary` says it was told).
pub const SCHEMAS: [(&str, &str); 6] = [
    ("plan", include_str!("schemas/plan.json")),
    ("blocks", include_str!("schemas/blocks.json")),
    ("clusters", include_str!("schemas/clusters.json")),
    ("removed", include_str!("schemas/removed.json")),
    ("summary", include_str!("schemas/summary.json")),
    ("options", include_str!("schemas/options.json")),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::options::Options;
    use crate::engine::summary::Summary;
    use crate::plan::lines::{BlockLine, ClusterLine, PlanLine};
    use crate::record::{Raw, Removed};
    use schemars::generate::SchemaSettings;
    use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
    use serde_json::Value;
    use std::borrow::Cow;

    impl JsonSchema for Raw<'_> {
        fn schema_name() -> Cow<'static, str> {
            "Raw".into()
        }

        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            json_schema!({
                "description": "Bytes of a file: a string where they are UTF-8, else hexadecimal digits.",
                "anyOf": [
                    {"type": "string"},
                    {
                        "type": "object",
                        "properties": {"hex": {"type": "string", "pattern": "^([0-9a-f]{2})*$"}},
                        "required": ["hex"],
                        "additionalProperties": false,
                    },
                ],
            })
        }
    }

    fn text<T: JsonSchema>(name: &str, settings: SchemaSettings) -> String {
        let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
        schema["$id"] = format!("urn:descale:{name}:{VERSION}").into();
        forget_machine(&mut schema);
        serde_json::to_string_pretty(&schema).unwrap() + "\n"
    }

    /// A default that depends on the machine is no part of the layout.
    fn forget_machine(schema: &mut Value) {
        match schema {
            Value::Object(all) => {
                if let Some(Value::Object(memory)) = all.get_mut("properties").and_then(|p| p.get_mut("memory")) {
                    memory.remove("default");
                }
                all.values_mut().for_each(forget_machine);
            }
            Value::Array(all) => all.iter_mut().for_each(forget_machine),
            _ => {}
        }
    }

    #[test]
    fn the_schemas_are_those_of_the_types() {
        let (written, read) = (|| SchemaSettings::draft2020_12().for_serialize(), SchemaSettings::draft2020_12());
        let generated = [
            text::<PlanLine>("plan", written()),
            text::<BlockLine>("blocks", written()),
            text::<ClusterLine>("clusters", written()),
            text::<Removed<'static>>("removed", written()),
            text::<Summary>("summary", written()),
            text::<Options>("options", read),
        ];
        for ((name, kept), generated) in SCHEMAS.iter().zip(generated) {
            if std::env::var_os("WRITE_SCHEMAS").is_some() {
                let path = format!("{}/src/report/schemas/{name}.json", env!("CARGO_MANIFEST_DIR"));
                std::fs::write(path, &generated).unwrap();
            } else {
                assert!(*kept == generated, "schemas/{name}.json is not what the types say; see the top of this file");
            }
        }
    }

    #[test]
    fn fields_are_described() {
        for (name, schema) in SCHEMAS {
            let schema: Value = serde_json::from_str(schema).unwrap();
            assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
            let fields = schema["properties"].as_object().unwrap();
            let silent: Vec<_> = fields.iter().filter(|(_, f)| f.get("description").is_none()).map(|f| f.0).collect();
            assert!(silent.is_empty(), "{name}: {silent:?}");
        }
    }
}
