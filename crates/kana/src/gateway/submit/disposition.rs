//! Which names does a part of a multipart body give to itself and to its file?
//!
//! The header `Content-Disposition` (RFC 7578, RFC 8187) is read here and not by the library that splits the body, which
//! searches it for `name=` and finds that inside of a quoted filename, too. What clients really send is read:
//! quotation marks escaped by a backslash (curl) or as `%22` (browsers), paths with single backslashes (old browsers),
//! and `filename*`, which RFC 7578 forbids and .NET and Python send. It wins over `filename`.

use axum::http::{HeaderMap, header};
use encoding_rs::{Encoding, WINDOWS_1252};
use percent_encoding::percent_decode;

/// Longest quotation of a client's text in an error, in characters.
const QUOTED_MAX: usize = 40;

/// Names in a part's header.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Disposition {
    /// Name of the part.
    pub name: Option<String>,
    /// Name of the part's file.
    pub filename: Option<String>,
}

/// Reason why the names of a part cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum DispositionError {
    /// A quoted value does not end, or something follows it.
    #[error("its Content-Disposition is malformed: after a quoted value there should be a semicolon or the end")]
    Quotes,
    /// The value of `filename*` is not of the form that RFC 8187 asks for, and there is no `filename`.
    #[error("its filename* is not of the form UTF-8''NAME")]
    Form,
    /// The charset of `filename*` is unknown, and there is no `filename`.
    #[error("its filename* is in the unknown charset {0:?}; use UTF-8")]
    Charset(String),
    /// The bytes of `filename*` are not text in its charset, and there is no `filename`.
    #[error("its filename* is not valid {0}")]
    Text(&'static str),
}

impl Disposition {
    /// Reads the names in a part's headers; none where there is no such header.
    ///
    /// # Errors
    /// Where the header is malformed, or the filename is given only in a way that cannot be read.
    pub fn of(headers: &HeaderMap) -> Result<Self, DispositionError> {
        headers.get(header::CONTENT_DISPOSITION).map_or(Ok(Self::default()), |value| Self::parse(value.as_bytes()))
    }

    fn parse(header: &[u8]) -> Result<Self, DispositionError> {
        let (mut name, mut filename, mut extended) = (None, None, None);
        // The type comes first; that it is form-data follows from the place.
        let mut rest = after_semicolon(header);
        while !rest.is_empty() {
            let end = rest.iter().position(|byte| matches!(byte, b'=' | b';')).unwrap_or(rest.len());
            let (key, after) = rest.split_at(end);
            let Some(value) = after.strip_prefix(b"=") else {
                rest = after_semicolon(after);
                continue;
            };
            let (value, after) = value_of(value.trim_ascii_start())?;
            // Of parameters with the same name the first counts, as in browsers.
            match key.trim_ascii().to_ascii_lowercase().as_slice() {
                b"name" => _ = name.get_or_insert(value),
                b"filename" => _ = filename.get_or_insert(value),
                b"filename*" => _ = extended.get_or_insert(value),
                _ => {}
            }
            rest = after;
        }
        let filename = filename.map(|name| text(&decode_browser_escapes(&name)));
        let filename = match (extended.map(|value| extended_text(&value)), filename) {
            (Some(Ok(name)), _) => Some(name),
            (Some(Err(error)), None) => return Err(error),
            (_, filename) => filename,
        };
        Ok(Self { name: name.map(|name| text(&name)), filename })
    }
}

/// Returns what follows the next semicolon.
fn after_semicolon(bytes: &[u8]) -> &[u8] {
    bytes.iter().position(|byte| *byte == b';').and_then(|at| bytes.get(at + 1..)).unwrap_or_default()
}

/// Reads a value, quoted or not, and returns it with what follows its semicolon.
fn value_of(bytes: &[u8]) -> Result<(Vec<u8>, &[u8]), DispositionError> {
    let Some(mut rest) = bytes.strip_prefix(b"\"") else {
        let end = bytes.iter().position(|byte| *byte == b';').unwrap_or(bytes.len());
        return Ok((bytes[..end].trim_ascii().to_vec(), after_semicolon(bytes)));
    };
    let mut value = Vec::new();
    loop {
        match rest {
            [b'"', after @ ..] => {
                let after = after.trim_ascii_start();
                let is_end = after.is_empty() || after.starts_with(b";");
                return if is_end { Ok((value, after_semicolon(after))) } else { Err(DispositionError::Quotes) };
            }
            // Any other backslash is one of a path, as old browsers send it.
            [b'\\', escaped @ (b'"' | b'\\'), after @ ..] => {
                value.push(*escaped);
                rest = after;
            }
            [byte, after @ ..] => {
                value.push(*byte);
                rest = after;
            }
            [] => return Err(DispositionError::Quotes),
        }
    }
}

/// Decodes the three escapes that browsers use (WHATWG HTML, "multipart/form-data"); any other percent sign is itself.
fn decode_browser_escapes(value: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some((&first, after)) = rest.split_first() {
        let (byte, after) = match rest {
            [b'%', b'2', b'2', after @ ..] => (b'"', after),
            [b'%', b'0', b'D' | b'd', after @ ..] => (b'\r', after),
            [b'%', b'0', b'A' | b'a', after @ ..] => (b'\n', after),
            _ => (first, after),
        };
        decoded.push(byte);
        rest = after;
    }
    decoded
}

/// Reads text in UTF-8, or else in the charset of western browsers, which gives every byte a meaning.
fn text(bytes: &[u8]) -> String {
    std::str::from_utf8(bytes)
        .map_or_else(|_| WINDOWS_1252.decode_without_bom_handling(bytes).0.into_owned(), str::to_owned)
}

/// Reads a value such as `UTF-8'en'%E3%81%8A.png` (RFC 8187).
fn extended_text(value: &[u8]) -> Result<String, DispositionError> {
    let mut parts = value.splitn(3, |byte| *byte == b'\'');
    let (Some(charset), Some(_language), Some(encoded)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(DispositionError::Form);
    };
    let encoding = Encoding::for_label(charset).ok_or_else(|| {
        DispositionError::Charset(String::from_utf8_lossy(charset).chars().take(QUOTED_MAX).collect())
    })?;
    let bytes: Vec<u8> = percent_decode(encoded).collect();
    let decoded = encoding.decode_without_bom_handling_and_without_replacement(&bytes);
    decoded.map(|text| text.into_owned()).ok_or(DispositionError::Text(encoding.name()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(parameters: impl AsRef<[u8]>) -> Disposition {
        try_parse(parameters).unwrap()
    }

    fn try_parse(parameters: impl AsRef<[u8]>) -> Result<Disposition, DispositionError> {
        Disposition::parse(&[b"form-data; name=\"images\"; ", parameters.as_ref()].concat())
    }

    fn filename(parameters: impl AsRef<[u8]>) -> String {
        let Disposition { name, filename } = parse(parameters);
        assert_eq!(name.as_deref(), Some("images"));
        filename.expect("a filename")
    }

    #[test]
    fn a_quoted_value_may_look_like_parameters() {
        assert_eq!(filename(r#"filename="a; name=other; filename=b.png""#), "a; name=other; filename=b.png");
        assert_eq!(
            Disposition::parse(br#"form-data; filename="x; name=\"other\".png"; name=images"#),
            Ok(Disposition { name: Some("images".into()), filename: Some(r#"x; name="other".png"#.into()) })
        );
        assert_eq!(filename(r#"note="filename=a.png"; filename=b.png"#), "b.png");
    }

    #[test]
    fn what_a_client_escaped_is_read_as_it_was() {
        assert_eq!(filename(r#"filename="a\"b\\c.png""#), "a\"b\\c.png");
        assert_eq!(filename(r#"filename="a%22b%0D%0A%41.png""#), "a\"b\r\n%41.png", "browsers escape nothing else");
        assert_eq!(filename(r#"filename="C:\photos\o.png""#), r"C:\photos\o.png");
        assert_eq!(filename(r#"filename="100%.png""#), "100%.png");
    }

    #[test]
    fn spaces_case_and_missing_quotes_do_not_matter() {
        assert_eq!(filename("FileName = \"a.png\" ; x"), "a.png");
        assert_eq!(filename("filename=a b.png;x=y"), "a b.png");
        assert_eq!(Disposition::parse(b"FORM-DATA;NAME=images"), Ok(parse("")));
    }

    #[test]
    fn the_extended_filename_wins_wherever_it_stands() {
        let wanted = "お \"1\".png";
        let encoded = "UTF-8''%E3%81%8A%20%221%22.png";

        assert_eq!(filename(format!("filename*={encoded}")), wanted);
        assert_eq!(filename(format!("filename=\"o.png\"; filename*={encoded}")), wanted);
        assert_eq!(filename(format!("filename*=utf-8'ja'{}; filename=o.png", &encoded[7..])), wanted);
        assert_eq!(filename(format!("filename*=\"{encoded}\"")), wanted, "quoted, as some clients do");
        assert_eq!(filename("filename*=iso-8859-1'en'%A3.png"), "£.png");
        assert_eq!(filename("filename*=Shift_JIS''%82%A8.png"), "お.png");
    }

    #[test]
    fn an_extended_filename_that_cannot_be_read_is_named_where_there_is_no_other() {
        let error = |value: &str| try_parse(format!("filename*={value}")).unwrap_err();

        assert_eq!(error("o.png"), DispositionError::Form);
        assert_eq!(error("klingon''o.png"), DispositionError::Charset("klingon".into()));
        assert_eq!(error("UTF-8''%FF.png"), DispositionError::Text("UTF-8"));
        assert_eq!(filename("filename*=klingon''x.png; filename=o.png"), "o.png");
    }

    #[test]
    fn a_name_in_another_charset_keeps_every_byte_apart() {
        assert_eq!(filename("filename=\"お.png\""), "お.png");
        assert_eq!(filename(b"filename=\"caf\xE9.png\""), "café.png");
    }

    #[test]
    fn a_quoted_value_that_does_not_end_is_refused() {
        for parameters in [r#"filename="a.png"#, r#"filename="a"b.png""#, r#"filename="a\"#, r#"filename="a\""#] {
            assert_eq!(try_parse(parameters), Err(DispositionError::Quotes), "{parameters}");
        }
    }

    #[test]
    fn of_equal_parameters_the_first_counts() {
        assert_eq!(filename("filename=a.png; filename=b.png; name=other"), "a.png");
    }
}
