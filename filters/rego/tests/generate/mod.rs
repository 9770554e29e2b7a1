//! Policies of every form there is, out of a seed. A rule refers only to those before it, so that
//! none is recursive; a variable is used only where it is bound.

use serde_json::{Value as Json, json};

/// The base data that policies read.
pub fn data() -> Json {
    json!({"roles": {"admin": ["read", "write"], "guest": ["read"]}, "limits": [1, 2, 3], "on": true})
}

/// A small generator of numbers; good enough to choose by.
pub struct Generator {
    state: u64,
    /// The rules so far, and what kind each is.
    rules: Vec<(String, Kind)>,
    variables: Vec<String>,
    names: usize,
    depth: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Complete,
    Set,
    Object,
    Function(usize),
}

impl Generator {
    pub fn new(seed: u64) -> Self {
        let mut generator = Generator {
            state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(1),
            rules: Vec::new(),
            variables: Vec::new(),
            names: 0,
            depth: 0,
        };
        generator.below(2);
        generator
    }

    /// The text of a policy with a rule `data.p.allow`.
    pub fn policy(&mut self) -> String {
        let mut text = "package p\n\n".to_owned();
        let count = self.below(4);
        for index in 0..count {
            let kind = match self.below(6) {
                0 => Kind::Set,
                1 => Kind::Object,
                2 => Kind::Function(1 + self.below(2)),
                _ => Kind::Complete,
            };
            let name = format!("r{index}");
            text.push_str(&self.rule(&name, kind));
            self.rules.push((name, kind));
        }
        text.push_str(&self.rule("allow", Kind::Complete));
        text
    }

    pub fn input(&mut self) -> Json {
        let mut input = json!({});
        for key in ["a", "b", "c", "user", "path", "list", "map"] {
            if self.below(5) > 0 {
                let value = match key {
                    "list" => self.list(),
                    "map" => json!({"x": self.scalar(), "y": self.scalar()}),
                    "user" => {
                        json!({"name": self.word(), "age": self.below(40), "roles": self.list()})
                    }
                    "path" => json!(["v1", self.word()]),
                    _ => self.scalar(),
                };
                input[key] = value;
            }
        }
        input
    }

    fn rule(&mut self, name: &str, kind: Kind) -> String {
        let definitions = 1 + self.below(3);
        let mut text = String::new();
        if kind == Kind::Complete && self.below(2) == 0 {
            let value = self.literal();
            text.push_str(&format!("default {name} := {value}\n\n"));
        }
        for _ in 0..definitions {
            self.variables.clear();
            let head = match kind {
                Kind::Function(arity) => {
                    let arguments: Vec<String> = (0..arity).map(|_| self.argument()).collect();
                    format!("{name}({})", arguments.join(", "))
                }
                _ => name.to_owned(),
            };
            let bound = self.variables.clone();
            let body = self.body();
            let (before, else_value) = match kind {
                Kind::Set => (format!("{head} contains {}", self.expr()), false),
                Kind::Object => {
                    let key = self.key();
                    (format!("{head}[{key}] := {}", self.expr()), false)
                }
                _ if self.below(3) == 0 => (head, true),
                _ => (format!("{head} := {}", self.value()), true),
            };
            text.push_str(&format!("{before} if {{\n{body}}}"));
            if else_value && self.below(4) == 0 {
                self.variables = bound;
                let body = self.body();
                text.push_str(&format!(" else := {} if {{\n{body}}}", self.value()));
            }
            text.push_str("\n\n");
        }
        text
    }

    /// What rules of several definitions mostly agree on.
    fn value(&mut self) -> String {
        match self.below(4) {
            0 => self.expr(),
            1 => "false".to_owned(),
            _ => "true".to_owned(),
        }
    }

    fn argument(&mut self) -> String {
        match self.below(5) {
            0 => "_".to_owned(),
            1 => self.literal(),
            2 => {
                let (one, other) = (self.bind(), self.bind());
                format!("[{one}, {other}]")
            }
            _ => self.bind(),
        }
    }

    fn body(&mut self) -> String {
        let count = 1 + self.below(3);
        (0..count)
            .map(|_| format!("\t{}\n", self.statement()))
            .collect()
    }

    fn statement(&mut self) -> String {
        match self.below(16) {
            0 | 1 => {
                let value = self.expr();
                let name = self.bind();
                format!("{name} := {value}")
            }
            2 | 3 => {
                let collection = self.collection();
                let name = self.bind();
                format!("some {name} in {collection}")
            }
            4 => {
                let collection = self.collection();
                let (key, value) = (self.bind(), self.bind());
                format!("some {key}, {value} in {collection}")
            }
            5 | 6 => format!("not {}", self.condition()),
            7 if self.depth < 2 => {
                let collection = self.collection();
                let outer = self.variables.clone();
                let name = self.bind();
                self.depth += 1;
                let body = self.condition();
                self.depth -= 1;
                self.variables = outer;
                format!("every {name} in {collection} {{ {body} }}")
            }
            8 if self.below(8) == 0 => {
                let call = self.condition();
                let value = self.literal();
                format!("{call} with input.a as {value}")
            }
            9 => format!("{} = {}", self.expr(), self.expr()),
            _ => self.condition(),
        }
    }

    fn condition(&mut self) -> String {
        match self.below(10) {
            0 | 1 => format!("{} == {}", self.expr(), self.expr()),
            2 => format!("{} != {}", self.expr(), self.expr()),
            3 => {
                let operator = ["<", "<=", ">", ">="][self.below(4)];
                format!("{} {operator} {}", self.expr(), self.expr())
            }
            4 => format!("{} in {}", self.expr(), self.collection()),
            5 => format!("startswith({}, {})", self.expr(), self.text()),
            6 => format!("input.{}", self.name_of_input()),
            7 => format!("count({}) > {}", self.collection(), self.below(3)),
            8 => format!("is_string({})", self.expr()),
            _ => self.expr(),
        }
    }

    fn expr(&mut self) -> String {
        self.depth += 1;
        let deep = self.depth > 2;
        let expr = match self.below(if deep { 6 } else { 17 }) {
            0 => self.literal(),
            1 | 2 => format!("input.{}", self.name_of_input()),
            3 | 4 => self.variable(),
            5 => self.reference(),
            6 => {
                let operator = ["+", "-", "*", "/", "%"][self.below(5)];
                format!("({} {operator} {})", self.expr(), self.expr())
            }
            7 => {
                let operator = ["|", "&", "-"][self.below(3)];
                format!("({{{}, 1}} {operator} {{{}, 2}})", self.expr(), self.expr())
            }
            8 => format!("[{}, {}]", self.expr(), self.expr()),
            9 => format!("{{\"k\": {}}}", self.expr()),
            10 => format!("{{{}}}", self.expr()),
            11..=13 => self.comprehension(),
            14 => self.builtin(),
            15 => self.call(),
            _ => format!("object.get(input.map, {}, {})", self.text(), self.literal()),
        };
        self.depth -= 1;
        expr
    }

    fn comprehension(&mut self) -> String {
        let outer = self.variables.clone();
        let statements: Vec<String> = (0..=self.below(2)).map(|_| self.statement()).collect();
        let term = self.expr();
        let comprehension = match self.below(3) {
            0 => format!("[{term} | {}]", statements.join("; ")),
            1 => format!("{{{term} | {}}}", statements.join("; ")),
            _ => {
                let key = self.key();
                format!("{{{key}: {term} | {}}}", statements.join("; "))
            }
        };
        self.variables = outer;
        comprehension
    }

    fn builtin(&mut self) -> String {
        match self.below(10) {
            0 => format!("upper({})", self.expr()),
            1 => format!("count({})", self.collection()),
            2 => format!("concat(\",\", {})", self.collection()),
            3 => format!("split({}, \"a\")", self.expr()),
            4 => format!("to_number({})", self.expr()),
            5 => format!("sum({})", self.collection()),
            6 => format!("array.concat({}, {})", self.collection(), self.collection()),
            7 => format!("max({})", self.collection()),
            8 => format!("json.unmarshal({})", self.expr()),
            _ => format!("sort({})", self.collection()),
        }
    }

    /// A reference into a rule or base data.
    fn reference(&mut self) -> String {
        if self.rules.is_empty() || self.below(3) == 0 {
            return [
                "data.on",
                "data.roles.admin",
                "data.limits",
                "data.roles[input.b]",
            ][self.below(4)]
            .to_owned();
        }
        let chosen = self.below(self.rules.len());
        let (name, kind) = self.rules[chosen].clone();
        match (kind, self.below(3)) {
            (Kind::Function(_), _) => self.call_of(&name, kind),
            (Kind::Complete, _) | (_, 0) => name,
            (_, 1) => format!("{name}[{}]", self.variable()),
            _ => format!("{name}[_]"),
        }
    }

    fn call(&mut self) -> String {
        let functions: Vec<(String, Kind)> = self
            .rules
            .iter()
            .filter(|(_, kind)| matches!(kind, Kind::Function(_)))
            .cloned()
            .collect();
        if functions.is_empty() {
            return self.literal();
        }
        let (name, kind) = functions[self.below(functions.len())].clone();
        self.call_of(&name, kind)
    }

    fn call_of(&mut self, name: &str, kind: Kind) -> String {
        let Kind::Function(arity) = kind else {
            return name.to_owned();
        };
        let arguments: Vec<String> = (0..arity).map(|_| self.expr()).collect();
        format!("{name}({})", arguments.join(", "))
    }

    fn collection(&mut self) -> String {
        match self.below(8) {
            0 | 1 => "input.list".to_owned(),
            2 => "input.map".to_owned(),
            3 => "data.roles.admin".to_owned(),
            4 => "input.user.roles".to_owned(),
            5 => format!("[{}, {}]", self.literal(), self.literal()),
            6 => format!("{{{}, {}}}", self.literal(), self.literal()),
            _ => self.reference(),
        }
    }

    /// A key that is a variable or a literal.
    fn key(&mut self) -> String {
        match self.below(3) {
            0 => self.text(),
            _ => self.variable(),
        }
    }

    fn name_of_input(&mut self) -> &'static str {
        [
            "a",
            "b",
            "c",
            "user.name",
            "user.age",
            "path[0]",
            "list[_]",
            "map.x",
            "list[0]",
            "map[_]",
            "map[input.b]",
        ][self.below(11)]
    }

    fn variable(&mut self) -> String {
        match self.variables.len() {
            0 => self.literal(),
            count => {
                let chosen = self.below(count);
                self.variables[chosen].clone()
            }
        }
    }

    fn bind(&mut self) -> String {
        self.names += 1;
        let name = format!("v{}", self.names);
        self.variables.push(name.clone());
        name
    }

    fn literal(&mut self) -> String {
        match self.below(8) {
            0 => "null".to_owned(),
            1 => "true".to_owned(),
            2 => "false".to_owned(),
            3 | 4 => self.below(4).to_string(),
            5 => "1.5".to_owned(),
            _ => self.text(),
        }
    }

    fn text(&mut self) -> String {
        format!("\"{}\"", self.word())
    }

    fn word(&mut self) -> &'static str {
        ["x", "y", "admin", "read", "a", "", "v1", "7"][self.below(8)]
    }

    fn scalar(&mut self) -> Json {
        match self.below(6) {
            0 => Json::Null,
            1 => json!(self.below(2) == 0),
            2 | 3 => json!(self.below(4)),
            _ => json!(self.word()),
        }
    }

    fn list(&mut self) -> Json {
        let count = self.below(4);
        (0..count).map(|_| self.scalar()).collect()
    }

    /// A number below another: xorshift.
    fn below(&mut self, bound: usize) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        usize::try_from(self.state >> 33).unwrap() % bound
    }
}
