//! A browser, as far as a login takes one: it keeps cookies by host, and goes where it is sent when it is told to.

use portcullis_tests::example::{Answer, Client};
use std::collections::BTreeMap;

#[derive(Clone)]
pub struct Browser {
    sites: Vec<Client>,
    /// By host and name.
    pub cookies: BTreeMap<(String, String), String>,
}

/// `https://HOST` and the rest.
pub fn parts(url: &str) -> (&str, &str) {
    let rest = url.strip_prefix("https://").unwrap();
    rest.split_at(rest.find('/').unwrap())
}

/// What the query of a URL says of a name, as it stands there.
pub fn query<'u>(url: &'u str, name: &str) -> &'u str {
    let (_, query) = url.split_once('?').unwrap();
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(found, _)| *found == name).unwrap().1
}

impl Browser {
    pub fn new(sites: &[Client]) -> Browser {
        Browser {
            sites: sites.to_vec(),
            cookies: BTreeMap::new(),
        }
    }

    pub fn get(&mut self, url: &str) -> Answer {
        self.send("GET", url, &[], "")
    }

    pub fn send(&mut self, method: &str, url: &str, lines: &[(&str, &str)], body: &str) -> Answer {
        let (host, target) = parts(url);
        let site = self.sites.iter().find(|site| site.host == host).unwrap();
        let own = self.cookies.iter().filter(|((of, _), _)| of == host);
        let own: Vec<String> = own
            .map(|((_, name), value)| format!("{name}={value}"))
            .collect();
        let cookies = own.join("; ");
        let mut all = lines.to_vec();
        if !own.is_empty() {
            all.push(("cookie", &cookies));
        }
        if !body.is_empty() {
            all.push(("content-type", "application/x-www-form-urlencoded"));
        }
        let mut connection = site.connect().unwrap();
        let answer = connection.ask(method, target, &all, body).unwrap();
        for cookie in set_cookies(&answer) {
            let (pair, _) = cookie.split_once(';').unwrap_or((&cookie, ""));
            let (name, value) = pair.split_once('=').unwrap();
            let key = (host.to_owned(), name.to_owned());
            match is_deleted(&cookie) {
                true => self.cookies.remove(&key),
                false => self.cookies.insert(key, value.to_owned()),
            };
        }
        answer
    }

    /// Where an answer to a request of this URL sends it.
    pub fn follow(&mut self, from: &str, answer: &Answer) -> (String, Answer) {
        let to = location(from, answer);
        let answer = self.get(&to);
        (to, answer)
    }

    /// Fills in the form that it was shown.
    pub fn submit(&mut self, shown: &Answer, fields: &str) -> (String, Answer) {
        let (_, form) = shown.body.split_once("action=\"").unwrap();
        let (to, _) = form.split_once('"').unwrap();
        let answer = self.send("POST", to, &[], fields);
        (to.to_owned(), answer)
    }
}

pub fn location(from: &str, answer: &Answer) -> String {
    let to = answer.header("location");
    match to.starts_with('/') {
        true => format!("https://{}{to}", parts(from).0),
        false => to,
    }
}

pub fn set_cookies(answer: &Answer) -> Vec<String> {
    let values = answer.headers.values("set-cookie");
    values
        .map(|value| String::from_utf8(value.to_vec()).unwrap())
        .collect()
}

pub fn is_deleted(cookie: &str) -> bool {
    let cookie = cookie.to_lowercase();
    cookie.contains("max-age=0") || cookie.contains("expires=thu, 01 jan 1970")
}
