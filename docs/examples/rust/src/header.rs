//! The import header of a Lean file, and the key of its record: step 1 of schemas/partitioner.md.

use sha2::{Digest, Sha256};

struct NoLean;

/// The canonical header: the imports in order, one on each line; "" where there is none, or no Lean.
pub fn canonical(proof: &str) -> String {
    let rest = proof.strip_prefix('\u{feff}').unwrap_or(proof);
    Reader { rest }.header().unwrap_or_default()
}

/// The key: 16 bytes of SHA-256 as hexadecimal digits.
pub fn key(header: &str) -> String {
    Sha256::digest(header)[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What is left of a file.
struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn header(&mut self) -> Result<String, NoLean> {
        let mut lines: Vec<String> = Vec::new();
        self.skip_blank()?;
        let module = self.take("module")?;
        if module {
            lines.push("module".into());
        }
        if self.take("prelude")? {
            return Err(NoLean);
        }
        while let Some(modifiers) = self.modifiers()? {
            let all = self.take("all")?;
            let name = self.name();
            if name.is_empty() || (!module && (all || !modifiers.is_empty())) {
                return Err(NoLean);
            }
            self.rest = &self.rest[name.len()..];
            self.skip_blank()?;
            let line = format!("{modifiers}import {}{name}", if all { "all " } else { "" });
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
        Ok(lines.iter().map(|line| format!("{line}\n")).collect())
    }

    /// The words before `import`; None where no import follows. `public` may begin a command of the body, and what is
    /// wrong behind it is the body's.
    fn modifiers(&mut self) -> Result<Option<String>, NoLean> {
        let mut modifiers = String::new();
        for word in ["public", "meta"] {
            if self.name() == word {
                modifiers += &format!("{word} ");
                if self.take(word).is_err() {
                    return Ok(None);
                }
            }
        }
        Ok(self.take("import")?.then_some(modifiers))
    }

    /// Goes behind a word and the blanks after it, if it stands here.
    fn take(&mut self, word: &str) -> Result<bool, NoLean> {
        if self.name() != word {
            return Ok(false);
        }
        self.rest = &self.rest[word.len()..];
        self.skip_blank()?;
        Ok(true)
    }

    /// The name that stands here: parts with dots between them; a part in «» may hold anything.
    fn name(&self) -> &'a str {
        let mut end = 0;
        loop {
            let part = &self.rest[end..];
            let length = match part.chars().next() {
                Some('«') => part.find('»').map_or(0, |at| at + '»'.len_utf8()),
                Some(first) if first.is_alphabetic() || first == '_' => {
                    part.find(|sign: char| !sign.is_alphanumeric() && !"_'!?".contains(sign)).unwrap_or(part.len())
                }
                _ => 0,
            };
            if length == 0 {
                // A dot without a part behind it is none of the name's.
                return &self.rest[..end.saturating_sub(1)];
            }
            end += length;
            if !self.rest[end..].starts_with('.') {
                return &self.rest[..end];
            }
            end += 1;
        }
    }

    /// Goes behind white space and comments, which may be nested; a doc comment is none of them.
    fn skip_blank(&mut self) -> Result<(), NoLean> {
        loop {
            let rest = self.rest;
            if rest.starts_with([' ', '\n']) {
                self.rest = &rest[1..];
            } else if rest.starts_with("\r\n") {
                self.rest = &rest[2..];
            } else if rest.starts_with(['\t', '\r']) {
                return Err(NoLean);
            } else if rest.starts_with("--") {
                self.rest = &rest[rest.find('\n').unwrap_or(rest.len())..];
            } else if rest.starts_with("/-") && !rest.starts_with("/--") && !rest.starts_with("/-!") {
                self.rest = behind_comment(rest).ok_or(NoLean)?;
            } else {
                return Ok(());
            }
        }
    }
}

/// What stands behind the comment that a text begins with; None where it has no end.
fn behind_comment(text: &str) -> Option<&str> {
    // Lean steps over the character after `/-` unseen: `/-/` is not yet closed.
    let mut inside = 2 + text[2..].chars().next()?.len_utf8();
    let mut depth = 1;
    while depth > 0 {
        let close = text[inside..].find("-/")?;
        match text[inside..].find("/-") {
            Some(open) if open < close => (depth, inside) = (depth + 1, inside + open + 2),
            _ => (depth, inside) = (depth - 1, inside + close + 2),
        }
    }
    Some(&text[inside..])
}
