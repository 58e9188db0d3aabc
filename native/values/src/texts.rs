//! Values that are written as strings, but for dates and times.

const MAX_STRING: usize = 1024 * 1024;

pub(crate) fn string(text: &str) -> Result<(), &'static str> {
    if text.len() > MAX_STRING && text.chars().nth(MAX_STRING).is_some() {
        return Err("a string has at most 1,048,576 characters");
    }
    if text.bytes().any(|byte| byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r')) {
        return Err("a string has no control characters but tab, line feed and carriage return");
    }
    Ok(())
}

pub(crate) fn code(text: &str) -> Result<(), &'static str> {
    // Single spaces between words: no part of the split is empty.
    if text.split(' ').any(|word| word.is_empty() || word.contains(char::is_whitespace)) {
        return Err("a code has no white space but single spaces between words");
    }
    Ok(())
}

pub(crate) fn id(text: &str) -> Result<(), &'static str> {
    let known = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'));
    if known && text.len() <= 64 {
        Ok(())
    } else {
        Err("an id has 1 to 64 letters, digits, '-' and '.'")
    }
}

pub(crate) fn uri(text: &str) -> Result<(), &'static str> {
    if text.chars().any(char::is_whitespace) {
        return Err("a URI has no spaces");
    }
    if text.starts_with("oid:") || text.starts_with("uuid:") {
        return Err("OIDs and UUIDs are written urn:oid:… and urn:uuid:…");
    }
    if text.starts_with("urn:oid:") {
        return oid(text);
    }
    match text.strip_prefix("urn:uuid:") {
        Some(rest) if !is_uuid(&rest.to_ascii_lowercase()) => Err(UUID),
        _ => Ok(()),
    }
}

/// A URI with a version or a part of it.
pub(crate) fn canonical(text: &str) -> Result<(), &'static str> {
    if text.chars().any(char::is_whitespace) {
        return Err("a canonical has no spaces");
    }
    uri(text.split(['|', '#']).next().unwrap_or_default())
}

const UUID: &str = "a UUID is written urn:uuid:, and 32 digits in groups of 8, 4, 4, 4 and 12";

pub(crate) fn uuid(text: &str) -> Result<(), &'static str> {
    match text.strip_prefix("urn:uuid:") {
        Some(rest) if is_uuid(rest) => Ok(()),
        _ => Err(UUID),
    }
}

fn is_uuid(text: &str) -> bool {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    text.len() == 36
        && text.bytes().enumerate().all(|(place, byte)| match place {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => is_digit(byte),
        })
}

pub(crate) fn oid(text: &str) -> Result<(), &'static str> {
    const OID: &str = "an OID is written urn:oid:, 0 to 2, and numbers after points";
    let mut arcs = text.strip_prefix("urn:oid:").ok_or(OID)?.split('.');
    let first = matches!(arcs.next(), Some("0" | "1" | "2"));
    let mut rest = 0;
    let plain = arcs.inspect(|_| rest += 1).all(|arc| {
        !arc.is_empty()
            && arc.bytes().all(|byte| byte.is_ascii_digit())
            && (arc == "0" || !arc.starts_with('0'))
    });
    if first && plain && rest > 0 {
        Ok(())
    } else {
        Err(OID)
    }
}

pub(crate) fn base64(text: &str) -> Result<(), &'static str> {
    let mut count = 0_usize;
    let mut padding = 0;
    for byte in text.bytes().filter(|byte| !byte.is_ascii_whitespace()) {
        let plain = byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
        if byte == b'=' {
            padding += 1;
        } else if !plain || padding > 0 {
            return Err("base64 has letters, digits, '+' and '/', and '=' at its end only");
        }
        count += 1;
    }
    if count > 0 && count.is_multiple_of(4) && padding <= 2 {
        Ok(())
    } else {
        Err("base64 comes in groups of four characters, the last one filled up with '='")
    }
}
