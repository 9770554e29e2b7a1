# Who is turned away whatever else would let them in. A list that is missing or cannot be read turns
# everybody away: that nobody is on it is not known.
package portcullis.deny_lists

import data.portcullis.addresses

denied if count(denials) > 0

# Of any token, whichever provider's.
denials contains sprintf("subject %s of %s: %v", [token.claims.sub, provider, why]) if {
	some provider, token in input.verified.jwts
	why := lists.subjects[provider][token.claims.sub]
}

# API keys, by the id that the configuration gives them.
denials contains sprintf("key %s: %v", [id, why]) if {
	id := input.verified.api_key.id
	why := lists.keys[id]
}

# Keys that sign requests.
denials contains sprintf("key %s: %v", [signature.key_id, why]) if {
	some signature in input.verified.signatures
	why := lists.keys[signature.key_id]
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

lists := data.deny_lists
