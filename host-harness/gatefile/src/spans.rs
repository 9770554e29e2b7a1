//! Where each node of a document stands, beside the document itself.

/// A line and a column, both from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    pub line: usize,
    pub column: usize,
}

#[derive(Clone, Debug)]
pub struct Spans {
    /// Where the value begins.
    pub at: Point,
    pub children: Children,
}

#[derive(Clone, Debug)]
pub enum Children {
    None,
    Items(Vec<Spans>),
    Fields(Vec<Field>),
}

#[derive(Clone, Debug)]
pub struct Field {
    pub name: String,
    /// Where the name stands.
    pub at: Point,
    pub value: Spans,
}

impl Spans {
    /// Where a field such as `routes[2].match.path` stands: its name, or the item itself, or the
    /// nearest ancestor there is.
    pub fn find(&self, path: &str) -> Point {
        let mut here = self;
        let mut point = self.at;
        let mut rest = path;
        while let Some((child, at, after)) = here.step(rest) {
            (here, point, rest) = (child, at, after);
        }
        point
    }

    /// The value of the field itself, if it is there.
    pub fn value(&self, path: &str) -> Option<&Spans> {
        let mut here = self;
        let mut rest = path;
        while !rest.is_empty() {
            (here, _, rest) = here.step(rest)?;
        }
        Some(here)
    }

    fn step<'p>(&self, path: &'p str) -> Option<(&Spans, Point, &'p str)> {
        match &self.children {
            Children::None => None,
            Children::Items(items) => {
                let (index, rest) = path.strip_prefix('[')?.split_once(']')?;
                let item = items.get(index.parse::<usize>().ok()?)?;
                Some((item, item.at, rest))
            }
            Children::Fields(fields) => {
                let path = path.strip_prefix('.').unwrap_or(path);
                // A name may hold dots itself, such as `policy.modules.authz.rego`.
                fields
                    .iter()
                    .filter_map(|field| Some((field, path.strip_prefix(field.name.as_str())?)))
                    .filter(|(_, rest)| rest.is_empty() || rest.starts_with(['.', '[']))
                    .max_by_key(|(field, _)| field.name.len())
                    .map(|(field, rest)| (&field.value, field.at, rest))
            }
        }
    }
}
