//! What a request shows of credentials: verified, refused, or to be judged once its body has come.

use super::{Pass, Refused};
use crate::{
    body::{self, Demand},
    config::routes::Settings,
    credential::{
        Refusal, api_key, jwt, peer,
        signature::{self, webhook},
    },
    headers::Headers,
    message_signature::{Component, Message},
    request::Incoming,
    verified::Verified,
    words::Reason,
};
use std::{borrow::Cow, cell::OnceCell};

type Judged<'c> = Result<signature::VerifiedSignature<'c>, Refusal>;
/// What a request shows of webhooks, or why that ends it.
type Webhook<'c> = Result<webhook::Shown<'c>, Refusal>;

enum Signed<'c> {
    Verified(signature::VerifiedSignature<'c>),
    /// Its body has to come first.
    Shown(webhook::Shown<'c>),
}

impl<'p> Pass<'p> {
    /// What signatures must cover of this request: a digest, where there is a body.
    pub fn components(&self, settings: &'p Settings) -> Cow<'p, [Component]> {
        let is_bodiless =
            !self.request.body.is_there() && self.request.first(body::digest::FIELD).is_none();
        let of_digest = |component: &Component| component.is_of_field(body::digest::FIELD);
        match is_bodiless && settings.components.iter().any(of_digest) {
            false => Cow::Borrowed(&settings.components),
            true => {
                let others = settings.components.iter().filter(|it| !of_digest(it));
                Cow::Owned(others.cloned().collect())
            }
        }
    }

    /// Verifies what the request shows. A refused credential is gone from the headers when this
    /// returns, so that no policy and no upstream takes it for good.
    pub(super) fn credentials(
        &self,
        settings: &'p Settings,
        headers: &mut Headers<'p>,
        used: &OnceCell<String>,
    ) -> Result<(Verified<'p>, Vec<Refusal>, Vec<webhook::Shown<'p>>), Refused> {
        let config = self.config;
        let now_ns = self.moment.now_ns;
        let mut refused = Vec::new();

        let against = jwt::Against {
            attributes: &self.request.attributes,
            providers: &config.providers,
            knowledge: self.knowledge,
            since_ns: self.since_ns,
            now_ns,
            gives_up: self.gives_up,
        };
        let tokens = jwt::verify(&against, headers, &mut self.wants.borrow_mut())?;
        let keys = match &config.api_keys {
            Some(keys) => api_key::verify(keys, &self.active.keys, now_ns, headers)?,
            None => None,
        };
        if let Some(Ok(key)) = &keys {
            used.get_or_init(|| key.id().to_owned());
        }

        if tokens.is_empty() && settings.jwt.deny_missing {
            return Err(Reason::JwtMissing.into());
        }
        let mut jwts = Vec::new();
        for token in tokens {
            match token {
                Ok(jwt) => jwts.push(jwt),
                Err(refusal) if settings.jwt.deny_invalid => return Err(refusal.into()),
                Err(refusal) => {
                    jwt::strip_all(&config.providers, &[], headers);
                    refused.push(refusal);
                }
            }
        }

        if keys.is_none() && settings.api_keys.deny_missing {
            return Err(Reason::ApiKeyMissing.into());
        }
        let api_key = match keys.transpose() {
            Ok(key) => key,
            Err(refusal) if settings.api_keys.deny_invalid => return Err(refusal.into()),
            Err(refusal) => {
                if let Some(keys) = &config.api_keys {
                    api_key::strip_all(keys, headers);
                }
                refused.push(refusal);
                None
            }
        };

        let mut signatures = Vec::new();
        let mut shown = Vec::new();
        let (judged, webhooks) = self.signatures(settings)?;
        let judged = judged.into_iter().map(|it| it.map(Signed::Verified));
        let webhooks = webhooks.into_iter().map(|it| it.map(Signed::Shown));
        for signature in judged.chain(webhooks) {
            match signature {
                Ok(Signed::Verified(signature)) => signatures.push(signature),
                Ok(Signed::Shown(it)) => shown.push(it),
                Err(refusal) if settings.signatures.deny_invalid => return Err(refusal.into()),
                Err(refusal) => {
                    self.strip_signatures(headers);
                    refused.push(refusal);
                }
            }
        }
        let verified = Verified {
            jwts,
            api_key,
            signatures,
            peer: peer::verify(config.peer, &self.request.attributes),
            body: None,
        };
        Ok((verified, refused, shown))
    }

    /// Over the request as it was received, whatever was removed from it since.
    fn signatures(
        &self,
        settings: &'p Settings,
    ) -> Result<(Vec<Judged<'p>>, Vec<Webhook<'p>>), Refused> {
        let Some(config) = &self.config.signatures else {
            return Ok((Vec::new(), Vec::new()));
        };
        let now_ns = self.moment.now_ns;
        let judged = match config.has_keys() {
            false => Vec::new(),
            true => {
                let message = Message::new(self.request.headers, self.request.attributes.scheme)
                    .ok_or(Reason::HeadersInvalid)?;
                let (required, ends) =
                    (self.components(settings), settings.signatures.deny_invalid);
                signature::verify(config, &required, ends, now_ns, &message)
            }
        };
        let webhooks = webhook::shown(
            &config.webhooks,
            |hook| settings.counts(hook),
            self.request,
            Some(now_ns),
        );
        if judged.is_empty() && webhooks.is_empty() && settings.signatures.deny_missing {
            return Err(Reason::SignatureMissing.into());
        }
        Ok((judged, webhooks))
    }

    /// What became of each of its webhooks, for those who tell of requests: in a person's words beside it.
    pub fn webhooks(&self, settings: &Settings) -> Vec<(signature::Report, Judged<'p>)> {
        let Some(config) = &self.config.signatures else {
            return Vec::new();
        };
        let now_ns = self.moment.now_ns;
        let counts = |hook: &_| settings.counts(hook);
        let all = webhook::shown(&config.webhooks, counts, self.request, Some(now_ns));
        let (shown, refused): (Vec<_>, Vec<_>) = all.into_iter().partition(Result::is_ok);
        let shown: Vec<webhook::Shown<'p>> = shown.into_iter().flatten().collect();
        let work = webhook::work(&shown);
        let empty = Demand::new(&settings.body, self.shelf, self.request, work).ok();
        let empty = empty
            .and_then(|it| it.reader())
            .map(body::BodyReader::finish);
        let content = match (self.request.body, &empty) {
            (Incoming::Read(body), _) | (Incoming::None, Some(body)) => body.content(),
            _ => webhook::Content::default(),
        };
        let settled = webhook::settle(&shown, &content, now_ns).into_iter();
        let told = shown.iter().map(webhook::Shown::told);
        let refused = refused.into_iter().filter_map(Result::err);
        let refused = refused.map(|it| (webhook::Told::default(), Err(it)));
        let judged = told.zip(settled).chain(refused);
        judged
            .map(|(told, judged)| (signature::Report::of_webhook(told, &judged), judged))
            .collect()
    }

    /// Takes every signature away: which of them was refused is nothing an upstream could tell.
    pub(super) fn strip_signatures(&self, headers: &mut Headers<'p>) {
        signature::strip_all(headers);
        if let Some(signatures) = &self.config.signatures {
            webhook::strip_all(&signatures.webhooks, headers);
        }
    }
}
