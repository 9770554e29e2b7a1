//! The blocks of comments that begin with `# METADATA`.

use std::mem;

pub(super) struct Block {
    /// Of the line `# METADATA`, from 1.
    pub row: u32,
    /// What the comments below it say.
    pub text: String,
}

/// Every comment that follows without a gap, at the first column, belongs to the block.
pub(super) fn blocks(module: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut next_row = None;
    for comment in comments(module) {
        if next_row == Some(comment.row)
            && comment.column == 1
            && let Some(block) = blocks.last_mut()
        {
            let text = comment.text.strip_prefix(' ').unwrap_or(&comment.text);
            block.text.push_str(text);
            block.text.push('\n');
            next_row = comment.row.checked_add(1);
        } else if comment.text.trim().starts_with("METADATA") {
            blocks.push(Block {
                row: comment.row,
                text: String::new(),
            });
            next_row = comment.row.checked_add(1);
        } else {
            next_row = None;
        }
    }
    blocks
}

#[derive(Default)]
struct Comment {
    row: u32,
    column: u32,
    /// After the `#`.
    text: String,
}

fn comments(module: &str) -> Vec<Comment> {
    enum In {
        Code,
        Comment,
        Quotes,
        Backticks,
    }
    let mut comments = Vec::new();
    let mut comment = Comment::default();
    let mut state = In::Code;
    let (mut row, mut column) = (1_u32, 0_u32);
    let mut characters = module.chars();
    while let Some(character) = characters.next() {
        column = column.saturating_add(1);
        state = match (state, character) {
            (In::Comment, '\n') => {
                comments.push(mem::take(&mut comment));
                In::Code
            }
            (In::Comment, character) => {
                comment.text.push(character);
                In::Comment
            }
            (In::Code, '#') => {
                comment = Comment {
                    row,
                    column,
                    text: String::new(),
                };
                In::Comment
            }
            (In::Code, '"') => In::Quotes,
            (In::Code, '`') => In::Backticks,
            (In::Quotes, '\\') => {
                characters.next();
                column = column.saturating_add(1);
                In::Quotes
            }
            (In::Quotes, '"' | '\n') | (In::Backticks, '`') => In::Code,
            (state, _) => state,
        };
        if character == '\n' {
            row = row.saturating_add(1);
            column = 0;
        }
    }
    if matches!(state, In::Comment) {
        comments.push(comment);
    }
    comments
}
