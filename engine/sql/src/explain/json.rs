//! The JSON form (`EXPLAIN_FORMAT_JSON`).

use std::time::Duration;

use super::{Child, ExplainOptions, Item, Property, millis};

/// Writes `"key": value` pairs with PostgreSQL's line breaks.
struct Writer {
    text: String,
    indent: usize,
}

impl Writer {
    fn line(&mut self, text: &str, first: bool) {
        self.text.push_str(if first { "\n" } else { ",\n" });
        self.text.push_str(&"  ".repeat(self.indent));
        self.text.push_str(text);
    }
}

/// The document: an array of one plan.
pub(super) fn document(
    root: &Item,
    options: ExplainOptions,
    planning: Option<Duration>,
    execution: Option<Duration>,
) -> String {
    let mut writer = Writer { text: "[\n  {\n    \"Plan\": ".to_owned(), indent: 2 };
    object(root, None, options, &mut writer);
    for (name, time) in [("Planning Time", planning), ("Execution Time", execution)] {
        if let Some(time) = time {
            writer.line(&format!("{}: {}", quoted(name), millis(time)), false);
        }
    }
    writer.text.push_str("\n  }\n]");
    writer.text
}

fn object(item: &Item, child: Option<&Child>, options: ExplainOptions, writer: &mut Writer) {
    writer.text.push('{');
    writer.indent += 1;
    let mut first = true;
    let mut pair = |writer: &mut Writer, name: &str, value: &str| {
        writer.line(&format!("{}: {value}", quoted(name)), first);
        first = false;
    };
    pair(writer, "Node Type", &quoted(item.node_type));
    for (name, value) in &item.facts {
        if matches!(*name, "Strategy" | "Operation") {
            pair(writer, name, &quoted(value));
        }
    }
    if let Some(child) = child {
        pair(writer, "Parent Relationship", &quoted(child.relationship));
        if let Some(name) = &child.name {
            pair(writer, "Subplan Name", &quoted(name));
        }
    }
    pair(writer, "Parallel Aware", "false");
    pair(writer, "Async Capable", "false");
    for (name, value) in &item.facts {
        if !matches!(*name, "Strategy" | "Operation") {
            pair(writer, name, &quoted(value));
        }
    }
    if options.costs {
        pair(writer, "Startup Cost", &format!("{:.2}", item.cost.startup));
        pair(writer, "Total Cost", &format!("{:.2}", item.cost.total));
        pair(writer, "Plan Rows", &format!("{:.0}", item.cost.rows.max(1.0).round()));
        pair(writer, "Plan Width", &item.cost.width.to_string());
    }
    if let Some(figures) = item.figures {
        let loops = figures.loops.max(1) as f64;
        if options.timing {
            pair(writer, "Actual Startup Time", &format!("{:.3}", figures.startup.as_secs_f64() * 1000.0 / loops));
            pair(writer, "Actual Total Time", &format!("{:.3}", figures.total.as_secs_f64() * 1000.0 / loops));
        }
        pair(writer, "Actual Rows", &format!("{:.2}", figures.rows as f64 / loops));
        pair(writer, "Actual Loops", &figures.loops.to_string());
    }
    pair(writer, "Disabled", "false");
    for property in &item.properties {
        match property {
            Property::Text(name, value) => pair(writer, name, &quoted(value)),
            Property::Count(name, count) => pair(writer, name, &count.to_string()),
            Property::List(name, values) => {
                let values: Vec<String> = values.iter().map(|value| quoted(value)).collect();
                pair(writer, name, &format!("[{}]", values.join(", ")));
            }
        }
    }
    if !item.children.is_empty() {
        pair(writer, "Plans", "[");
        writer.indent += 1;
        for (at, child) in item.children.iter().enumerate() {
            writer.line("", at == 0);
            object(&child.item, Some(child), options, writer);
        }
        writer.indent -= 1;
        writer.text.push('\n');
        writer.text.push_str(&"  ".repeat(writer.indent));
        writer.text.push(']');
    }
    writer.indent -= 1;
    writer.text.push('\n');
    writer.text.push_str(&"  ".repeat(writer.indent));
    writer.text.push('}');
}

/// A JSON string (`escape_json`).
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            control if (control as u32) < 0x20 => out.push_str(&format!("\\u{:04x}", control as u32)),
            plain => out.push(plain),
        }
    }
    out.push('"');
    out
}
