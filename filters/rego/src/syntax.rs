//! What names and places stand in a syntax tree.

use std::collections::BTreeSet;

use regorus::unstable::{Expr, Module, Ref, Rule, RuleHead, Span};

/// The path of a module's package, without `data`.
pub(crate) fn package_path(module: &Module) -> Vec<String> {
    static_prefix(&module.package.refr)
}

/// What a rule defines.
pub(crate) fn head(rule: &Rule) -> &Expr {
    match rule {
        Rule::Spec { head, .. } => match head {
            RuleHead::Compr { refr, .. }
            | RuleHead::Set { refr, .. }
            | RuleHead::Func { refr, .. } => refr,
        },
        Rule::Default { refr, .. } => refr,
    }
}

/// The path of a rule, without `data`.
pub(crate) fn path_of(package: &[String], rule: &Rule) -> Vec<String> {
    package
        .iter()
        .cloned()
        .chain(static_prefix(head(rule)))
        .collect()
}

/// The segments of a head or a package up to the first that is only known when it runs.
pub(crate) fn static_prefix(refr: &Expr) -> Vec<String> {
    let Some((root, segments)) = reference(refr) else {
        return Vec::new();
    };
    std::iter::once(root)
        .chain(segments.into_iter().map_while(|segment| segment))
        .collect()
}

/// Whether a part of a head is only known when it runs.
pub(crate) fn is_open(head: &Expr) -> bool {
    reference(head).is_none_or(|(_, segments)| segments.contains(&None))
}

/// The root and the segments of a reference.
pub(crate) fn reference(expr: &Expr) -> Option<(String, Vec<Option<String>>)> {
    let mut segments = Vec::new();
    let mut here = expr;
    loop {
        match here {
            Expr::Var { span, .. } => {
                segments.reverse();
                return Some((span.text().to_owned(), segments));
            }
            Expr::RefDot { refr, field, .. } => {
                segments.push(Some(field.0.text().to_owned()));
                here = refr;
            }
            Expr::RefBrack { refr, index, .. } => {
                segments.push(key_of(index));
                here = refr;
            }
            _ => return None,
        }
    }
}

/// A reference that is a plain name, such as `time.now_ns`.
pub(crate) fn name(expr: &Expr) -> Option<String> {
    let (root, segments) = reference(expr)?;
    let segments: Option<Vec<String>> = segments.into_iter().collect();
    let parts: Vec<String> = std::iter::once(root).chain(segments?).collect();
    Some(parts.join("."))
}

/// A reference as Rego writes it.
pub(crate) fn written(root: &str, segments: &[String]) -> String {
    let mut text = root.to_owned();
    for segment in segments {
        let mut bytes = segment.bytes();
        let is_name = bytes
            .next()
            .is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
            && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'#'));
        match is_name {
            true => text.push_str(&format!(".{segment}")),
            false => text.push_str(&format!("[{}]", serde_json::Value::from(segment.as_str()))),
        }
    }
    text
}

/// Where a span begins. regorus gives an operator's line and column to what it joins.
pub(crate) fn place(span: &Span) -> (u32, u32) {
    let start = usize::try_from(span.start).unwrap_or_default();
    let before = span.source.contents().get(..start).unwrap_or_default();
    let line = before.matches('\n').count().saturating_add(1);
    let column = before
        .rsplit('\n')
        .next()
        .map_or(1, |text| text.chars().count().saturating_add(1));
    (
        u32::try_from(line).unwrap_or(u32::MAX),
        u32::try_from(column).unwrap_or(u32::MAX),
    )
}

/// The key that an index is known to be. A document of JSON has no other keys than texts, and
/// `data[2]` means the key `2`.
fn key_of(index: &Expr) -> Option<String> {
    match index {
        Expr::Number { span, .. } => Some(span.text().to_owned()),
        other => text_of(other),
    }
}

pub(crate) fn text_of(expr: &Expr) -> Option<String> {
    match expr {
        Expr::String { value, .. } | Expr::RawString { value, .. } => {
            value.as_string().ok().map(|text| text.to_string())
        }
        _ => None,
    }
}

/// The expressions an expression is made of: neither a function's name, nor what stands in a
/// comprehension.
pub(crate) fn children(expr: &Expr) -> Vec<&Expr> {
    match expr {
        Expr::String { .. }
        | Expr::RawString { .. }
        | Expr::Number { .. }
        | Expr::Bool { .. }
        | Expr::Null { .. }
        | Expr::Var { .. }
        | Expr::ArrayCompr { .. }
        | Expr::SetCompr { .. }
        | Expr::ObjectCompr { .. } => Vec::new(),
        Expr::Array { items, .. } | Expr::Set { items, .. } => {
            items.iter().map(AsRef::as_ref).collect()
        }
        Expr::Object { fields, .. } => fields
            .iter()
            .flat_map(|(_, key, value)| [key.as_ref(), value.as_ref()])
            .collect(),
        Expr::RefDot { refr, .. } => vec![refr],
        Expr::RefBrack { refr, index, .. } => vec![refr, index],
        Expr::Call { params, .. } => params.iter().map(AsRef::as_ref).collect(),
        Expr::UnaryExpr { expr, .. } => vec![expr],
        Expr::ArithExpr { lhs, rhs, .. }
        | Expr::BinExpr { lhs, rhs, .. }
        | Expr::BoolExpr { lhs, rhs, .. }
        | Expr::AssignExpr { lhs, rhs, .. } => vec![lhs, rhs],
        Expr::Membership {
            key,
            value,
            collection,
            ..
        } => {
            let key = key.iter().map(AsRef::as_ref);
            key.chain([value.as_ref(), collection]).collect()
        }
    }
}

/// The keys of a head that are only known when it runs.
pub(crate) fn dynamic_keys(refr: &Expr) -> Vec<&Expr> {
    let mut keys = Vec::new();
    let mut here = refr;
    loop {
        match here {
            Expr::RefDot { refr, .. } => here = refr,
            Expr::RefBrack { refr, index, .. } => {
                keys.push(index.as_ref());
                here = refr;
            }
            _ => return keys,
        }
    }
}

/// What a bare name in a module may be other than a variable: a rule of its package, an import.
pub(crate) fn names(module: &Module, modules: &[Ref<Module>]) -> BTreeSet<String> {
    let package = package_path(module);
    let rules = modules
        .iter()
        .filter(|other| package_path(other) == package)
        .flat_map(|other| &other.policy)
        .filter_map(|rule| reference(head(rule)).map(|(root, _)| root));
    let imports = module
        .imports
        .iter()
        .filter_map(|import| match &import.r#as {
            Some(alias) => Some(alias.text().to_owned()),
            None => static_prefix(&import.refr).pop(),
        });
    rules.chain(imports).collect()
}
