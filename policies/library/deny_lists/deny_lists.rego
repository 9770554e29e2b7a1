# Who is turned away whatever else would let them in. A list that is missing or cannot be read turns
# everybody away: that nobody is on it is not known.
package portcullis.deny_lists

import data.portcullis.addresses

denied if count(denials) > 0

denials contains sprintf("subject %s of %s: %v", [subject, provider, why]) if {
	some [provider, subject] in proven_subjects
	why := lists.subjects[provider][subject]
}

denials contains sprintf("key %s: %v", [id, why]) if {
	some id in proven_keys
	why := lists.keys[id]
}

denials contains sprintf("peer %s: %v", [id, why]) if {
	id := input.verified.peer.spiffe_id
	why := lists.peers[id]
}

denials contains sprintf("address %s: %v", [data.portcullis.addresses.client, why]) if {
	some cidr, why in lists.addresses
	addresses.within(cidr)
}

# What keeps a list from being read.

denials contains sprintf("no list of %s", [name]) if {
	some name in ["subjects", "keys", "peers", "addresses"]
	not is_object(lists[name])
}

denials contains sprintf("no list of subjects of %s", [provider]) if {
	some provider, subjects in lists.subjects
	not is_object(subjects)
}

denials contains sprintf("%s is no network", [cidr]) if {
	some cidr, _ in lists.addresses
	not net.cidr_is_valid(cidr)
}

denials contains "no address to look for" if {
	count(lists.addresses) > 0
	not data.portcullis.addresses.client
}

# Of every token and every key that was verified, not only where there is one.

proven_subjects contains [provider, token.claims.sub] if some provider, token in input.verified.jwts

proven_subjects contains [input.verified.jwt.provider, input.verified.jwt.claims.sub]

proven_keys contains input.verified.api_key.id

proven_keys contains signature.key_id if some signature in input.verified.signatures

proven_keys contains input.verified.signature.key_id

lists := data.deny_lists
