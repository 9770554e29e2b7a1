//! How deep a text nests, before it is parsed: regorus descends as deep, and a guest's stack is small.

use regorus::unstable::{Lexer, Source, Token, TokenKind};

use crate::{error::LoadError, parse::LENGTHS, source::Module, syntax};

/// Brackets in brackets. regorus itself stops at as many expressions in one another.
const MAX_NESTING: usize = 32;
/// Arrays, sets, objects, comprehensions and bodies in one another. regorus takes twice as long for
/// each more: it reads the first term to see whether it begins a comprehension, and then again.
const MAX_COLLECTIONS: usize = 14;
/// Operators, keys and `else`s after one another: each is nested in the next.
const MAX_LINKS: usize = 200;

/// What nests too deep in a module.
pub(crate) fn check(module: &Module) -> Option<LoadError> {
    // What is no source or no token, the parser says better.
    let source = Source::from_contents_with_limits(
        module.path.clone(),
        module.text.clone(),
        LENGTHS.max_file_bytes,
        LENGTHS.max_lines,
    );
    let source = source.ok()?;
    let mut lexer = Lexer::new(&source);
    lexer.set_max_col(LENGTHS.max_col);
    let mut open = vec![Links::default()];
    let mut before: Option<Token> = None;
    loop {
        let token = lexer.next_token().ok()?;
        let Token(kind, span) = &token;
        if *kind == TokenKind::Eof {
            return None;
        }
        let symbol = match kind {
            TokenKind::Symbol | TokenKind::Ident => span.text(),
            _ => "",
        };
        let is_first = before.as_ref().is_none_or(|it| it.1.line != span.line);
        let too_deep = match symbol {
            "[" | "(" | "{" => {
                if symbol == "["
                    && let Some(links) = open.last_mut()
                {
                    links.operators = links.operators.saturating_add(1);
                }
                let above = open.last().map_or(0, |links| links.collections);
                let collections = above.saturating_add(usize::from(symbol != "("));
                open.push(Links {
                    collections,
                    ..Links::default()
                });
                open.len() > MAX_NESTING || collections > MAX_COLLECTIONS
            }
            "]" | ")" | "}" => {
                if open.len() > 1 {
                    open.pop();
                }
                false
            }
            _ => open.last_mut().is_some_and(|links| {
                links.count(symbol, is_first && !before.as_ref().is_some_and(is_link))
            }),
        };
        if too_deep || open.last().is_some_and(Links::are_too_many) {
            let (line, column) = syntax::place(span);
            return Some(
                LoadError::new(&module.path, "nests too deep")
                    .at(line, column)
                    .hint(format!(
                        "at most {MAX_NESTING} brackets in one another, {MAX_COLLECTIONS} of them of \
                         collections and bodies, and {MAX_LINKS} operators in a row"
                    )),
            );
        }
        before = Some(token);
    }
}

#[derive(Default)]
struct Links {
    /// The brackets of collections and bodies that are open.
    collections: usize,
    operators: usize,
    elses: usize,
}

impl Links {
    /// One more token, which may begin a statement.
    fn count(&mut self, symbol: &str, begins: bool) -> bool {
        match symbol {
            "else" => self.elses = self.elses.saturating_add(1),
            "," | ";" => self.operators = 0,
            _ if is_operator(symbol) => self.operators = self.operators.saturating_add(1),
            _ if begins => {
                *self = Links {
                    collections: self.collections,
                    ..Links::default()
                }
            }
            _ => {}
        }
        self.are_too_many()
    }

    fn are_too_many(&self) -> bool {
        self.operators > MAX_LINKS || self.elses > MAX_LINKS
    }
}

fn is_link(token: &Token) -> bool {
    matches!(token.0, TokenKind::Symbol | TokenKind::Ident) && is_operator(token.1.text())
}

/// What may stand before or after a line break inside of one expression.
fn is_operator(symbol: &str) -> bool {
    matches!(
        symbol,
        "." | "+"
            | "-"
            | "*"
            | "/"
            | "%"
            | "|"
            | "&"
            | "="
            | ":="
            | "=="
            | "!="
            | "<"
            | "<="
            | ">"
            | ">="
            | "in"
            | "not"
            | "with"
            | "as"
            | "some"
            | "every"
    )
}
