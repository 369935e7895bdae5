//! The text form (`ExplainNode` with `EXPLAIN_FORMAT_TEXT`).

use super::{ExplainOptions, Item, Property};

/// The lines of an item and of those below.
pub(super) fn lines(root: &Item, options: ExplainOptions) -> Vec<String> {
    let mut lines = Vec::new();
    node(root, 0, options, &mut lines);
    lines
}

/// `level`: how many times two blanks stand before the item.
fn node(item: &Item, level: usize, options: ExplainOptions, lines: &mut Vec<String>) {
    let arrow = if level == 0 { "" } else { "->  " };
    let mut line = format!("{}{arrow}{}", "  ".repeat(level), item.title);
    if options.costs {
        let cost = item.cost;
        line.push_str(&format!(
            "  (cost={:.2}..{:.2} rows={:.0} width={})",
            cost.startup,
            cost.total,
            cost.rows.max(1.0).round(),
            cost.width
        ));
    }
    if let Some(figures) = item.figures {
        if figures.loops == 0 {
            line.push_str(" (never executed)");
        } else {
            let loops = figures.loops as f64;
            let rows = figures.rows as f64 / loops;
            line.push_str(" (actual ");
            if options.timing {
                let millis = |time: std::time::Duration| time.as_secs_f64() * 1000.0 / loops;
                line.push_str(&format!("time={:.3}..{:.3} ", millis(figures.startup), millis(figures.total)));
            }
            line.push_str(&format!("rows={rows:.2} loops={})", figures.loops));
        }
    }
    lines.push(line);
    // Behind the arrow.
    let inside = if level == 0 { 1 } else { level + 3 };
    for property in &item.properties {
        let text = match property {
            Property::Text(name, value) => format!("{name}: {value}"),
            Property::List(name, values) => format!("{name}: {}", values.join(", ")),
            Property::Count(_, 0) => continue,
            Property::Count(name, count) => format!("{name}: {count}"),
        };
        lines.push(format!("{}{text}", "  ".repeat(inside)));
    }
    for child in &item.children {
        match &child.name {
            Some(name) => {
                lines.push(format!("{}{name}", "  ".repeat(inside)));
                node(&child.item, inside + 1, options, lines);
            }
            None => node(&child.item, inside, options, lines),
        }
    }
}
