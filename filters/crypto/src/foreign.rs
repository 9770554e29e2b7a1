//! Envoy's foreign function `verify_signature` in bytes: protocol buffers, of which these two flat
//! messages are all there is to know (Envoy's `source/extensions/common/wasm/ext/verify_signature.proto`).

use crate::Question;

/// Its name.
pub const VERIFY_SIGNATURE: &str = "verify_signature";

/// `VerifySignatureArguments`: four fields of bytes, numbered from 1.
pub fn arguments(question: &Question<'_>) -> Vec<u8> {
    let fields = [
        (0x0a, question.hash.as_bytes()),
        (0x12, question.key),
        (0x1a, question.signature),
        (0x22, question.message),
    ];
    let length: usize = fields.iter().map(|(_, bytes)| bytes.len()).sum();
    // A tag and a length take no more than eleven bytes.
    let mut written = Vec::with_capacity(length.saturating_add(44));
    for (tag, bytes) in fields {
        written.push(tag);
        write_number(bytes.len(), &mut written);
        written.extend(bytes);
    }
    written
}

/// `VerifySignatureResult`: whether the signature is good, and why it is not. `None` for what Envoy
/// does not write: a message that is none, has other fields or one of them twice, calls a signature
/// good and says why not, or says neither.
pub fn result(bytes: &[u8]) -> Option<bool> {
    let (mut good, mut why) = (None, None);
    let mut rest = bytes;
    while let Some((tag, field)) = rest.split_first() {
        rest = match (tag, good, why) {
            (0x08, None, _) => {
                let (value, behind) = field.split_first()?;
                good = Some(match value {
                    0 => false,
                    1 => true,
                    _ => return None,
                });
                behind
            }
            (0x12, _, None) => {
                let (length, behind) = number(field)?;
                let (text, behind) = behind.split_at_checked(length)?;
                why = Some(text);
                behind
            }
            _ => return None,
        };
    }
    // Fields that are false or empty are left out.
    match (good.unwrap_or(false), why.is_none_or(<[u8]>::is_empty)) {
        (true, true) => Some(true),
        (false, false) => Some(false),
        _ => None,
    }
}

/// Seven bits a byte, the lowest first; the eighth says that more follow.
fn write_number(mut number: usize, to: &mut Vec<u8>) {
    loop {
        let [low, ..] = number.to_le_bytes();
        number = number.wrapping_shr(7);
        if number == 0 {
            return to.push(low & 0x7f);
        }
        to.push(low | 0x80);
    }
}

/// A number in as few bytes as it takes, and what follows it.
fn number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    // Of no length that anything here has are there more than five bytes.
    let end = bytes.iter().take(5).position(|byte| byte & 0x80 == 0)?;
    let (last, digits) = bytes.get(..=end)?.split_last()?;
    if *last == 0 && !digits.is_empty() {
        return None;
    }
    let digits = digits.iter().map(|byte| byte & 0x7f);
    let value = digits
        .chain([*last])
        .rev()
        .try_fold(0_u64, |value, digit| {
            value.checked_mul(128)?.checked_add(u64::from(digit))
        })?;
    let (_, rest) = bytes.split_at_checked(end.checked_add(1)?)?;
    Some((usize::try_from(value).ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As protoc writes it.
    #[test]
    fn writes_what_protocol_buffers_read() {
        let message = [b'm'; 300];
        let written = arguments(&Question {
            hash: "sha256",
            key: b"key",
            signature: &[0x5a; 128],
            message: &message,
        });
        let read = [
            b"\x0a\x06sha256\x12\x03key\x1a\x80\x01",
            &[0x5a; 128][..],
            b"\x22\xac\x02",
            &message,
        ];
        assert_eq!(written, read.concat());
    }

    #[test]
    fn reads_what_envoy_writes_and_nothing_else() {
        let long = [&[0x12, 0xc8, 0x01][..], &[b'x'; 200]].concat();
        let table: [(&[u8], Option<bool>); 20] = [
            (b"\x08\x01", Some(true)),
            (b"\x12\x02no", Some(false)),
            (b"\x08\x00\x12\x02no", Some(false)),
            (b"\x12\x02no\x08\x00", Some(false)),
            (b"\x08\x01\x12\x00", Some(true)),
            (&long, Some(false)),
            // Says neither.
            (b"", None),
            (b"\x08\x00", None),
            (b"\x12\x00", None),
            // Says both.
            (b"\x08\x01\x12\x02no", None),
            (b"\x08\x00\x08\x01", None),
            (b"\x12\x02no\x12\x02no", None),
            // Is no bool.
            (b"\x08\x02", None),
            (b"\x08\x81\x00", None),
            // Is cut short, goes on, or is another message.
            (b"\x08", None),
            (b"\x12\x05no", None),
            (b"\x08\x01\x00", None),
            (b"\x08\x01\x1a\x00", None),
            (b"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", None),
            (b"\x12\x82\x00no", None),
        ];
        for (bytes, expected) in table {
            assert_eq!(result(bytes), expected, "{bytes:02x?}");
        }
    }
}
