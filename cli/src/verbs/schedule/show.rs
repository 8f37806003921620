//! What would be, in lines.

use std::collections::BTreeMap;
use std::fmt::Write;
use windlass_scheduler::framework::Explanation;
use windlass_scheduler::whatif::Outcome;

/// Where each pod would go, which would get no node and why, and who would have to go.
pub(super) fn outcome(outcome: &Outcome) -> String {
    let mut rows = Vec::new();
    for placed in &outcome.placed {
        let pod = &placed.pod;
        rows.push([
            pod.namespace.to_string(),
            pod.name.to_string(),
            placed.node.to_string(),
            String::new(),
        ]);
    }
    for (pod, why) in &outcome.unschedulable {
        let none = "<none>".to_owned();
        rows.push([pod.namespace.to_string(), pod.name.to_string(), none, why.message.clone()]);
    }
    let mut text = table(["NAMESPACE", "POD", "NODE", "WHY"], &rows);
    for gone in &outcome.preempted {
        let (pod, by) = (&gone.pod, &gone.by);
        line(
            &mut text,
            format_args!(
                "{}/{} would have to leave {} for {}/{}",
                pod.namespace, pod.name, gone.from, by.namespace, by.name
            ),
        );
    }
    let mut nodes: BTreeMap<&str, usize> = BTreeMap::new();
    outcome.placed.iter().for_each(|placed| *nodes.entry(&placed.node).or_default() += 1);
    let (placed, not) = (outcome.placed.len(), outcome.unschedulable.len());
    line(&mut text, format_args!("{placed} placed on {} nodes, {not} not", nodes.len()));
    text
}

/// Node by node: the scores, or who refuses and why.
pub(super) fn explanation(explanation: &Explanation) -> String {
    if let Some((plugin, reason)) = &explanation.refused {
        return format!("{plugin} refuses the pod before any node is looked at: {reason}\n");
    }
    let said = |all: &[String]| all.join(", ");
    let rows = explanation.nodes.iter().map(|node| {
        let refusals: Vec<_> = node.refusals.iter().map(|(p, why)| format!("{p}: {why}")).collect();
        let scores: Vec<_> = node.scores.iter().map(|(p, score)| format!("{p} {score}")).collect();
        match node.fits() {
            true => [node.node.to_string(), node.total().to_string(), said(&scores), String::new()],
            false => [node.node.to_string(), "-".to_owned(), said(&refusals), String::new()],
        }
    });
    table(["NODE", "SCORE", "PLUGINS", ""], &rows.collect::<Vec<_>>())
}

fn table(head: [&str; 4], rows: &[[String; 4]]) -> String {
    let width = |at: usize| {
        let cells = rows.iter().map(|row| row[at].len());
        cells.chain([head[at].len()]).max().unwrap_or_default()
    };
    let widths = [width(0), width(1), width(2)];
    let mut text = String::new();
    for row in std::iter::once(&head.map(str::to_owned)).chain(rows) {
        let [a, b, c, d] = row;
        let [x, y, z] = widths;
        let full = format!("{a:x$}   {b:y$}   {c:z$}   {d}");
        line(&mut text, format_args!("{}", full.trim_end()));
    }
    text
}

fn line(text: &mut String, what: std::fmt::Arguments<'_>) {
    writeln!(text, "{what}").expect("a string takes all");
}
