//! Whether a chain leads from a certificate to a root, as Go finds it (RFC 5280 section 6): in
//! doubt none, and where Go would look at what this does not know, [`Unsupported`].

use super::Certificate;
use crate::public::{PublicKey, Unsupported};

/// What is asked of a chain.
pub struct Options {
    /// Seconds since the Unix epoch, and what is left of the last.
    pub seconds: i64,
    pub nanoseconds: u32,
    /// A name of the last certificate's; none where it is empty.
    pub host: String,
    /// Go's numbers of purposes, one of which all must be for.
    pub purposes: Vec<u8>,
}

/// Pays for a signature that is about to be checked; an error ends the search.
pub type Work<'a> = &'a mut dyn FnMut(&PublicKey, usize) -> bool;

/// Why there is no chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invalid {
    Chain,
    /// What the search may take is used up.
    Exceeded,
    Unsupported(Unsupported),
}

/// Go's own bound on the signatures that it checks.
const MAX_CHECKS: usize = 100;

const ANY: u8 = 0;
const SERVER_AUTH: u8 = 1;
const CERT_SIGN: u32 = 1 << 5;

/// The first chain from the leaf to the root, leaf first.
///
/// # Errors
/// There is none.
pub fn verify<'a>(
    root: &'a Certificate,
    intermediates: &'a [Certificate],
    leaf: &'a Certificate,
    options: &Options,
    work: Work<'_>,
) -> Result<Vec<&'a Certificate>, Invalid> {
    let all = [root, leaf].into_iter().chain(intermediates);
    for certificate in all {
        let extensions = &certificate.extensions;
        if extensions.name_constraints.is_some() {
            return Err(Invalid::Unsupported(Unsupported("a name constraint")));
        }
        if extensions.constrains_policies {
            return Err(Invalid::Unsupported(Unsupported("a policy constraint")));
        }
    }
    let mut search = Search {
        root,
        intermediates,
        options,
        work,
        checks: 0,
        found: Vec::new(),
    };
    search.is_valid(leaf, Kind::Leaf, &[])?;
    if !options.host.is_empty() && !leaf.is_of_host(&options.host) {
        return Err(Invalid::Chain);
    }
    match leaf.raw == root.raw {
        true => search.found.push(vec![leaf]),
        false => search.build(&[leaf])?,
    }
    let purposes = match &*options.purposes {
        [] => &[SERVER_AUTH],
        some => some,
    };
    search
        .found
        .into_iter()
        .find(|chain| purposes.contains(&ANY) || serves(chain, purposes))
        .ok_or(Invalid::Chain)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Leaf,
    Intermediate,
    Root,
}

struct Search<'a, 'b> {
    root: &'a Certificate,
    intermediates: &'a [Certificate],
    options: &'b Options,
    work: Work<'b>,
    checks: usize,
    found: Vec<Vec<&'a Certificate>>,
}

impl<'a> Search<'a, '_> {
    /// Every chain that goes on from these. As deep as there are certificates: none is in it twice.
    fn build(&mut self, chain: &[&'a Certificate]) -> Result<(), Invalid> {
        let Some(child) = chain.last() else {
            return Ok(());
        };
        let roots = [(Kind::Root, self.root)];
        let mut parents: Vec<(u8, &Certificate)> = self
            .intermediates
            .iter()
            .filter(|parent| parent.raw_subject == child.raw_issuer)
            .map(|parent| (likeness(child, parent), parent))
            .collect();
        parents.sort_by_key(|(likeness, _)| *likeness);
        let parents = parents.into_iter().map(|(_, it)| (Kind::Intermediate, it));
        let roots = roots
            .into_iter()
            .filter(|(_, root)| root.raw_subject == child.raw_issuer);
        for (kind, parent) in roots.chain(parents) {
            if matches!(parent.public_key, PublicKey::Unknown) || is_in(parent, chain) {
                continue;
            }
            self.checks = self.checks.saturating_add(1);
            if self.checks > MAX_CHECKS {
                return Err(Invalid::Chain);
            }
            if !self.is_signed_by(child, parent)? {
                continue;
            }
            match self.is_valid(parent, kind, chain) {
                Ok(()) => {}
                Err(Invalid::Chain) => continue,
                Err(other) => return Err(other),
            }
            let longer = [chain, &[parent]].concat();
            match kind {
                Kind::Root => self.found.push(longer),
                _ => self.build(&longer)?,
            }
        }
        Ok(())
    }

    fn is_valid(
        &self,
        certificate: &Certificate,
        kind: Kind,
        chain: &[&Certificate],
    ) -> Result<(), Invalid> {
        if !certificate.extensions.unhandled.is_empty() {
            return Err(Invalid::Chain);
        }
        let now = (self.options.seconds, self.options.nanoseconds);
        if (certificate.not_before.unix(), 0) > now || now > (certificate.not_after.unix(), 0) {
            return Err(Invalid::Chain);
        }
        let basic = certificate.extensions.basic;
        if kind == Kind::Intermediate && !basic.is_some_and(|basic| basic.is_ca) {
            return Err(Invalid::Chain);
        }
        let between = u32::try_from(chain.len().saturating_sub(1)).unwrap_or(u32::MAX);
        let longest = basic.and_then(|basic| basic.max_path);
        match longest.is_some_and(|longest| between > longest) {
            true => Err(Invalid::Chain),
            false => Ok(()),
        }
    }

    fn is_signed_by(&mut self, child: &Certificate, parent: &Certificate) -> Result<bool, Invalid> {
        let signs = match parent.extensions.basic {
            Some(basic) => basic.is_ca,
            // Before version 3 there was no way to say so.
            None => parent.version != 3,
        };
        let usage = parent.extensions.key_usage;
        if !signs || (usage != 0 && usage & CERT_SIGN == 0) {
            return Ok(false);
        }
        if !(self.work)(&parent.public_key, child.raw_tbs.len()) {
            return Err(Invalid::Exceeded);
        }
        child
            .signature_algorithm
            .verify(&parent.public_key, &child.raw_tbs, &child.signature)
            .map_err(Invalid::Unsupported)
    }
}

/// Parents whose key is the one that the child names come first.
fn likeness(child: &Certificate, parent: &Certificate) -> u8 {
    match (
        &child.extensions.authority_key_id,
        &parent.extensions.subject_key_id,
    ) {
        (Some(named), Some(own)) if named == own => 0,
        (None, None) => 0,
        (Some(_), Some(_)) => 2,
        _ => 1,
    }
}

/// The same subject with the same key and names counts as the same certificate.
fn is_in(certificate: &Certificate, chain: &[&Certificate]) -> bool {
    chain.iter().any(|other| {
        other.raw_subject == certificate.raw_subject
            && other.raw_key == certificate.raw_key
            && other.extensions.names.raw == certificate.extensions.names.raw
    })
}

/// Whether there is a purpose that none of the certificates is not for.
fn serves(chain: &[&Certificate], purposes: &[u8]) -> bool {
    purposes.iter().any(|purpose| {
        chain.iter().all(|certificate| {
            let extensions = &certificate.extensions;
            let unlimited =
                extensions.key_purposes.is_empty() && extensions.unknown_purposes.is_empty();
            unlimited
                || extensions
                    .key_purposes
                    .iter()
                    .any(|own| *own == ANY || own == purpose)
        })
    })
}
