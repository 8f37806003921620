//! `windlass get`

use super::connect::{Connect, plain};
use super::resource;
use clap::{Args, ValueEnum};
use http::{Request, header};
use serde::Deserialize;
use serde_json::Value;
use windlass_core::client::{Key, ListOptions, Scope};
use windlass_core::component::BoxError;
use windlass_core::request::{key_path, scope_path, with_query};

const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";

/// Show objects
#[derive(Args)]
#[command(
    after_help = "Examples:\n  windlass get pods -A\n  windlass get deploy web -o yaml\n  windlass get pods -l app=web"
)]
pub(super) struct Get {
    /// The resource: `pods`, `deploy`, `svc`
    resource: String,
    /// One object
    name: Option<String>,
    /// Objects of all namespaces
    #[arg(short = 'A', long)]
    all_namespaces: bool,
    /// Only objects with these labels
    #[arg(short = 'l', long, default_value = "")]
    selector: String,
    /// How to show them
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,
    #[command(flatten)]
    connect: Connect,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    Table,
    Wide,
    Name,
    Json,
    Yaml,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Table {
    column_definitions: Vec<Column>,
    #[serde(default)]
    rows: Vec<Row>,
}

#[derive(Deserialize)]
struct Column {
    name: String,
    priority: i32,
}

#[derive(Deserialize)]
struct Row {
    cells: Vec<Value>,
    object: Value,
}

impl Get {
    pub(super) async fn run(self) -> Result<(), BoxError> {
        let connection = self.connect.open().await?;
        let path = self.path(&connection.namespace)?;
        let table = matches!(self.output, Output::Table | Output::Wide);
        let accept = if table { TABLE } else { "application/json" };
        let request = Request::get(path).header(header::ACCEPT, accept).body(Vec::new())?;
        let text = connection.kube.request_text(request).await.map_err(plain)?;
        match self.output {
            Output::Table | Output::Wide => self.print(&serde_json::from_str(&text)?),
            Output::Name => print_names(&self.resource, &serde_json::from_str(&text)?),
            Output::Json => println!("{:#}", serde_json::from_str::<Value>(&text)?),
            Output::Yaml => {
                print!("{}", yaml_serde::to_string(&serde_json::from_str::<Value>(&text)?)?);
            }
        }
        Ok(())
    }

    fn path(&self, namespace: &str) -> Result<String, BoxError> {
        let info = resource::find(&self.resource)?;
        let namespace =
            Some(namespace.to_owned()).filter(|_| info.namespaced && !self.all_namespaces);
        let resource = info.gvr.clone();
        Ok(match &self.name {
            Some(name) => {
                key_path(&Key { resource, namespace, name: name.clone(), subresource: None })
            }
            None => {
                let options =
                    ListOptions { label_selector: self.selector.clone(), ..ListOptions::default() };
                with_query(&scope_path(&Scope { resource, namespace }), &options.to_query())
            }
        })
    }

    fn print(&self, table: &Table) {
        if table.rows.is_empty() {
            eprintln!("No resources found");
            return;
        }
        let wide = self.output == Output::Wide;
        let shown: Vec<usize> = (0..table.column_definitions.len())
            .filter(|at| wide || table.column_definitions[*at].priority == 0)
            .collect();
        let head = shown.iter().map(|at| table.column_definitions[*at].name.to_uppercase());
        let mut lines = vec![self.line("NAMESPACE", head)];
        for row in &table.rows {
            let cells = shown.iter().map(|at| row.cells.get(*at).map(text).unwrap_or_default());
            lines.push(self.line(&text(&row.object["metadata"]["namespace"]), cells));
        }
        print_aligned(&lines);
    }

    fn line(&self, namespace: &str, cells: impl Iterator<Item = String>) -> Vec<String> {
        let namespace = Some(namespace.to_owned()).filter(|_| self.all_namespaces);
        namespace.into_iter().chain(cells).collect()
    }
}

fn print_aligned(lines: &[Vec<String>]) {
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let width =
        |at: usize| lines.iter().filter_map(|line| line.get(at)).map(|c| c.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|at| width(at).unwrap_or(0)).collect();
    for line in lines {
        let padded: Vec<_> =
            line.iter().zip(&widths).map(|(cell, w)| format!("{cell:w$}")).collect();
        println!("{}", padded.join("   ").trim_end());
    }
}

fn print_names(word: &str, answer: &Value) {
    let one = std::slice::from_ref(answer);
    let items = answer["items"].as_array().map_or(one, Vec::as_slice);
    items.iter().for_each(|item| println!("{word}/{}", text(&item["metadata"]["name"])));
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}
