//! Narratives: the XHTML that FHIR allows (<https://hl7.org/fhir/R4/narrative.html>, rules txt-1 and txt-2).

use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::name::{Namespace, ResolveResult};
use quick_xml::NsReader;

/// The namespace of XHTML.
pub const NAMESPACE: &str = "http://www.w3.org/1999/xhtml";

/// Elements inside one another.
const MAX_DEPTH: usize = 100;

const NOT_XML: &str = "the narrative is not well-formed XML";
const NOT_DIV: &str = "a narrative is one div in the namespace of XHTML";
const ELEMENT: &str = "the narrative holds an element that FHIR does not allow there";
const ATTRIBUTE: &str = "the narrative holds an attribute that FHIR does not allow there";
const EMPTY: &str = "the narrative has no content: it needs a text or an image";
const DECLARATION: &str = "a narrative has no document type, declaration or processing instruction";
const ENTITY: &str = "the narrative names an entity that there is not";
const DEEP: &str = "the narrative's elements are nested too deeply";

/// Chapters 7 to 11 and 15 of HTML 4.0, but for what is deprecated and for changes (chapter 9 section 4); a, img, map and area.
const ELEMENTS: [&str; 53] = [
    "a",
    "abbr",
    "acronym",
    "address",
    "area",
    "b",
    "bdo",
    "big",
    "blockquote",
    "br",
    "caption",
    "cite",
    "code",
    "col",
    "colgroup",
    "dd",
    "dfn",
    "div",
    "dl",
    "dt",
    "em",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "i",
    "img",
    "kbd",
    "li",
    "map",
    "ol",
    "p",
    "pre",
    "q",
    "samp",
    "small",
    "span",
    "strong",
    "sub",
    "sup",
    "table",
    "tbody",
    "td",
    "tfoot",
    "th",
    "thead",
    "tr",
    "tt",
    "ul",
    "var",
];

/// What rule txt-1 names, and what belongs to map and area.
const ATTRIBUTES: [&str; 54] = [
    "abbr",
    "accesskey",
    "align",
    "alt",
    "axis",
    "bgcolor",
    "border",
    "cellhalign",
    "cellpadding",
    "cellspacing",
    "cellvalign",
    "char",
    "charoff",
    "charset",
    "cite",
    "class",
    "colspan",
    "compact",
    "coords",
    "dir",
    "frame",
    "headers",
    "height",
    "href",
    "hreflang",
    "hspace",
    "id",
    "idref",
    "ismap",
    "lang",
    "longdesc",
    "name",
    "nohref",
    "nowrap",
    "rel",
    "rev",
    "rowspan",
    "rules",
    "scope",
    "shape",
    "space",
    "span",
    "src",
    "start",
    "style",
    "summary",
    "tabindex",
    "title",
    "type",
    "usemap",
    "valign",
    "value",
    "vspace",
    "width",
];

/// Where a narrative leads inside its resource, and where others may lead in it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Links {
    /// What follows the `#` in links and images.
    pub targets: Vec<String>,
    /// Ids, and the names of anchors.
    pub anchors: Vec<String>,
}

/// Check a narrative.
///
/// # Errors
///
/// What is wrong, in a text that holds nothing of the narrative.
pub fn check(text: &str) -> Result<(), &'static str> {
    links(text).map(|_| ())
}

/// The links of a narrative.
///
/// # Errors
///
/// As of [`check`].
pub fn links(text: &str) -> Result<Links, &'static str> {
    let mut reader = NsReader::from_str(text);
    reader.config_mut().expand_empty_elements = true;
    let mut state = State::default();
    loop {
        let (namespace, event) = reader.read_resolved_event().map_err(|_| NOT_XML)?;
        let in_xhtml = matches!(namespace, ResolveResult::Bound(Namespace(name)) if name == NAMESPACE);
        match event {
            Event::Start(start) => state.open(&start, in_xhtml)?,
            Event::End(_) => state.depth = state.depth.saturating_sub(1),
            Event::Text(text) => state.text(&text)?,
            Event::CData(_) => state.text("cdata")?,
            Event::GeneralRef(reference) => state.entity(&reference)?,
            Event::Comment(_) => {}
            Event::Eof => break,
            _ => return Err(DECLARATION),
        }
    }
    state.end()
}

#[derive(Default)]
struct State {
    depth: usize,
    begun: bool,
    content: bool,
    links: Links,
}

impl State {
    fn open(&mut self, start: &BytesStart<'_>, in_xhtml: bool) -> Result<(), &'static str> {
        let name = start.local_name();
        let name = name.as_ref();
        if self.depth == 0 && (self.begun || !in_xhtml || name != "div") {
            return Err(NOT_DIV);
        }
        if self.depth >= MAX_DEPTH {
            return Err(DEEP);
        }
        if !in_xhtml || ELEMENTS.binary_search(&name).is_err() {
            return Err(ELEMENT);
        }
        let source = attributes(start, name, &mut self.links)?;
        self.content |= name == "img" && source;
        self.begun = true;
        self.depth += 1;
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), &'static str> {
        let filled = !text.trim().is_empty();
        if filled && self.depth == 0 {
            return Err(NOT_DIV);
        }
        self.content |= filled;
        Ok(())
    }

    fn entity(&mut self, reference: &BytesRef<'_>) -> Result<(), &'static str> {
        if is_known(reference) {
            self.text("entity")
        } else {
            Err(ENTITY)
        }
    }

    fn end(self) -> Result<Links, &'static str> {
        match (self.begun, self.depth, self.content) {
            (false, ..) => Err(NOT_DIV),
            (_, 1.., _) => Err(NOT_XML),
            (_, _, false) => Err(EMPTY),
            _ => Ok(self.links),
        }
    }
}

fn is_known(reference: &BytesRef<'_>) -> bool {
    match reference.resolve_char_ref() {
        Ok(Some(_)) => true,
        Ok(None) => quick_xml::escape::resolve_html5_entity(reference).is_some(),
        Err(_) => false,
    }
}

/// Whether every ampersand in the value of an attribute begins an entity; in XML none stands for itself.
fn is_escaped(value: &str) -> bool {
    let mut rest = value;
    while let Some((_, after)) = rest.split_once('&') {
        let Some((name, behind)) = after.split_once(';') else { return false };
        if !is_known(&BytesRef::new(name)) {
            return false;
        }
        rest = behind;
    }
    true
}

/// Check the attributes, and note where they lead; whether there is a `src`.
fn attributes(start: &BytesStart<'_>, element: &str, links: &mut Links) -> Result<bool, &'static str> {
    let mut source = false;
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|_| NOT_XML)?;
        let key = attribute.key.as_ref();
        if attribute.value.contains('<') || !is_escaped(&attribute.value) {
            return Err(NOT_XML);
        }
        let allowed =
            key == "xmlns" || key.starts_with("xmlns:") || matches!(key, "xml:lang" | "xml:space" | "xml:id");
        if !allowed && ATTRIBUTES.binary_search(&key).is_err() {
            return Err(ATTRIBUTE);
        }
        if matches!(key, "href" | "src") && is_script(&attribute.value) {
            return Err(ATTRIBUTE);
        }
        match (key, attribute.value.strip_prefix('#')) {
            ("href" | "src", Some(target)) => links.targets.push(target.to_owned()),
            ("id" | "xml:id", _) => links.anchors.push(attribute.value.to_string()),
            ("name", _) if element == "a" => links.anchors.push(attribute.value.to_string()),
            _ => {}
        }
        source |= key == "src";
    }
    Ok(source)
}

fn is_script(target: &str) -> bool {
    let plain: String = target.chars().filter(|letter| *letter > ' ').collect();
    plain.to_ascii_lowercase().starts_with("javascript:")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tables are searched by halves.
    #[test]
    fn tables_are_sorted() {
        assert!(ELEMENTS.is_sorted() && ATTRIBUTES.is_sorted());
    }
}
