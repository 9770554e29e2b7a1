use super::*;

type Lines<'l> = &'l [(&'l str, &'l str)];

/// RFC 9421 section 2.1 ff. and the requests of its examples.
const REQUEST: Lines<'_> = &[
    (":method", "POST"),
    (":scheme", "https"),
    (":authority", "WWW.Example.com:443"),
    (
        ":path",
        "/path?param=value&foo=bar&baz=batman&qux=&var=this%20is%20a%20big%0Amultiline%20value&bar=with+plus+whitespace&fa%C3%A7ade%22%3A%20=something",
    ),
    ("x-ows-header", "   Leading and trailing whitespace.   "),
    ("cache-control", "max-age=60"),
    ("cache-control", "   must-revalidate"),
    ("x-empty-header", ""),
    ("example-dict", " a=1,    b=2;x=1;y=2,   c=(a   b   c), d"),
    ("priority", "u=1,    i"),
    ("cache-status", "a; x=1,  b"),
    ("x-bytes", "value, with, lots"),
    ("x-bytes", "of, commas"),
];

fn value(lines: Lines<'_>, component: &str) -> Result<String, String> {
    let lines: Vec<(&str, &[u8])> = lines.iter().map(|(n, v)| (*n, v.as_bytes())).collect();
    let component = Component::parse(component).map_err(|error| error.to_string())?;
    let message = Message::new(&lines, None).unwrap();
    message
        .value(&component)
        .map_err(|why| why.message().to_owned())
}

#[test]
fn components_have_the_values_that_the_rfc_gives_them() {
    for (component, expected) in [
        ("@method", "POST"),
        ("@scheme", "https"),
        ("@authority", "www.example.com"),
        ("@path", "/path"),
        (
            "@query",
            "?param=value&foo=bar&baz=batman&qux=&var=this%20is%20a%20big%0Amultiline%20value&bar=with+plus+whitespace&fa%C3%A7ade%22%3A%20=something",
        ),
        ("\"@query-param\";name=\"baz\"", "batman"),
        ("\"@query-param\";name=\"qux\"", ""),
        (
            "\"@query-param\";name=\"var\"",
            "this%20is%20a%20big%0Amultiline%20value",
        ),
        ("\"@query-param\";name=\"bar\"", "with%20plus%20whitespace"),
        (
            "\"@query-param\";name=\"fa%C3%A7ade%22%3A%20\"",
            "something",
        ),
        ("x-ows-header", "Leading and trailing whitespace."),
        ("cache-control", "max-age=60, must-revalidate"),
        ("x-empty-header", ""),
        ("example-dict", "a=1,    b=2;x=1;y=2,   c=(a   b   c), d"),
        ("\"example-dict\";key=\"a\"", "1"),
        ("\"example-dict\";key=\"b\"", "2;x=1;y=2"),
        ("\"example-dict\";key=\"c\"", "(a b c)"),
        ("\"example-dict\";key=\"d\"", "?1"),
        ("\"priority\";sf", "u=1, i"),
        ("\"cache-status\";sf", "a;x=1, b"),
        (
            "\"x-bytes\";bs",
            ":dmFsdWUsIHdpdGgsIGxvdHM=:, :b2YsIGNvbW1hcw==:",
        ),
        ("host", "WWW.Example.com:443"),
    ] {
        assert_eq!(
            value(REQUEST, component).as_deref(),
            Ok(expected),
            "{component}"
        );
    }
}

#[test]
fn targets_in_their_forms() {
    let request = |method, path| {
        [
            (":method", method),
            (":scheme", "HTTP"),
            (":authority", "a.test:8080"),
            (":path", path),
        ]
    };
    for (method, path, component, expected) in [
        (
            "GET",
            "/p?q=1",
            "@target-uri",
            Some("http://a.test:8080/p?q=1"),
        ),
        ("GET", "/p?q=1", "@request-target", Some("/p?q=1")),
        ("GET", "/p", "@query", Some("?")),
        ("GET", "?q=1", "@path", Some("/")),
        ("GET", "/p", "@authority", Some("a.test:8080")),
        ("OPTIONS", "*", "@request-target", Some("*")),
        ("OPTIONS", "*", "@path", None),
        ("CONNECT", "", "@request-target", Some("a.test:8080")),
        ("CONNECT", "", "@path", None),
        ("CONNECT", "", "@target-uri", None),
    ] {
        let found = value(&request(method, path), component).ok();
        assert_eq!(found.as_deref(), expected, "{method} {path} {component}");
    }
}

#[test]
fn what_has_no_value_is_not_made_up() {
    for component in [
        "x-absent",
        "\"x-absent\";bs",
        "\"x-absent\";key=\"a\"",
        "\"example-dict\";key=\"e\"",
        "\"x-ows-header\";key=\"a\"",
        // No registered structure, or not of it.
        "\"example-dict\";sf",
        "\"@query-param\";name=\"none\"",
    ] {
        assert!(value(REQUEST, component).is_err(), "{component}");
    }
    let twice = [(":method", "GET"), (":path", "/?a=1&b=2&%61=3")];
    assert!(value(&twice, "\"@query-param\";name=\"a\"").is_err());
    assert_eq!(
        value(&twice, "\"@query-param\";name=\"b\"").as_deref(),
        Ok("2")
    );
    for (path, good) in [
        ("/?a=%FF", false),
        ("/?a=%EF%BF%BD", true),
        ("/?%FF=1&a=2", true),
    ] {
        let bytes = [(":method", "GET"), (":path", path)];
        assert_eq!(
            value(&bytes, "\"@query-param\";name=\"a\"").is_ok(),
            good,
            "{path}"
        );
    }
    let twin = [("x-a", "1"), ("x_a", "2")];
    for component in ["x-a", "\"x-a\";bs", "x_a"] {
        assert!(value(&twin, component).is_err(), "{component}");
    }
    let user = [(":method", "GET"), (":authority", "a@b.test")];
    assert!(value(&user, "@authority").is_err());
}

#[test]
fn a_value_never_starts_a_line_of_its_own() {
    let lines = [("x-a", "1\n\"@method\": GET")];
    assert!(value(&lines, "x-a").is_err());
}

#[test]
fn components_that_no_request_has_are_refused() {
    for (text, why) in [
        ("@status", "responses"),
        ("@nothing", "no derived component"),
        ("@signature-params", "no derived component"),
        ("Content-Type", "lower case"),
        ("a b", "lower case"),
        ("", "lower case"),
        ("\"x\";req", "response"),
        ("\"x\";tr", "trailers"),
        ("\"x\";sf;bs", "beside"),
        ("\"x\";key=\"a\";bs", "beside"),
        ("\"x\";key=1", "not of its type"),
        ("\"x\";sf=?0", "not of its type"),
        ("\"x\";unknown", "not known"),
        ("\"x\";name=\"a\"", "@query-param"),
        ("\"@method\";sf", "only fields"),
        ("\"@method\";name=\"a\"", "@query-param"),
        ("\"@query-param\"", "with `name`"),
        ("\"x\" \"y\"", "structured field item"),
    ] {
        let error = Component::parse(text).unwrap_err().to_string();
        assert!(error.contains(why), "{text}: {error}");
    }
}

#[test]
fn bytes_cover_a_field_and_a_strict_reading_does_not() {
    let parse = |text| Component::parse(text).unwrap();
    assert!(parse("\"x\";bs").covers(&parse("x")));
    assert!(!parse("\"priority\";sf").covers(&parse("priority")));
    assert!(!parse("\"x\";key=\"a\"").covers(&parse("x")));
    assert!(!parse("x").covers(&parse("\"x\";bs")));
    assert!(parse("\"x\";sf;key=\"a\"").is_same(&parse("\"x\";key=\"a\";sf")));
}
