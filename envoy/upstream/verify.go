// Package gate takes a request only where the gate has signed it. go get github.com/dunglas/httpsfv
package gate

import (
	"crypto/ed25519"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/dunglas/httpsfv"
)

const tag = "portcullis"

// Vouched gives the headers that the gate vouches for; false where it vouches for nothing.
func Vouched(r *http.Request, keys map[string]ed25519.PublicKey) (map[string]string, bool) {
	inputs, err := httpsfv.UnmarshalDictionary(r.Header.Values("Signature-Input"))
	signatures, err2 := httpsfv.UnmarshalDictionary(r.Header.Values("Signature"))
	if err != nil || err2 != nil {
		return nil, false
	}
	member, _ := inputs.Get(tag)
	input, ok := member.(httpsfv.InnerList)
	member, _ = signatures.Get(tag)
	item, ok2 := member.(httpsfv.Item)
	signature, ok3 := item.Value.([]byte)
	if !ok || !ok2 || !ok3 {
		return nil, false
	}
	path, query, _ := strings.Cut(r.RequestURI, "?")
	derived := map[string]string{"@method": r.Method, "@authority": strings.ToLower(r.Host), "@path": path, "@query": "?" + query}
	var base strings.Builder
	vouched, required := map[string]string{}, len(derived)
	for _, component := range input.Items {
		name, ok := component.Value.(string)
		value, isDerived := derived[name]
		if isDerived {
			required--
			delete(derived, name)
		} else if lines := r.Header.Values(name); ok && len(lines) > 0 && len(component.Params.Names()) == 0 {
			value = strings.Join(lines, ", ")
			vouched[name] = value
		} else {
			return nil, false
		}
		fmt.Fprintf(&base, "%q: %s\n", name, value)
	}
	parameters, err := httpsfv.Marshal(input)
	fmt.Fprintf(&base, "\"@signature-params\": %s", parameters)
	parameter := func(name string) any { value, _ := input.Params.Get(name); return value }
	expires, ok := parameter("expires").(int64)
	id, ok2 := parameter("keyid").(string)
	meant := ok && ok2 && err == nil && parameter("tag") == tag && time.Now().Unix() <= expires && required == 0
	key, known := keys[id]
	if !meant || !known || !ed25519.Verify(key, []byte(base.String()), signature) {
		return nil, false
	}
	return vouched, true
}
