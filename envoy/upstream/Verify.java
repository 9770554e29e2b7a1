// Takes a request only where the gate has signed it. Maven: net.visma.autopay:http-signatures

import java.net.URI;
import java.security.PublicKey;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import net.visma.autopay.http.signature.*;

final class Verify {
    private static final String TAG = "portcullis";
    // What is read as a URL must not begin the path, or end the query, in its Host.
    private static final String HOST = "([A-Za-z0-9._-]+|\\[[0-9A-Fa-f:.]+\\])(:[0-9]+)?";

    /**
     * The headers that the gate vouches for, of those that it is told to write: {@code identity}. Throws where it does
     * not vouch for the request, or not for one of them that is there. The host with its port, and the target, as they
     * were sent; names of headers in lower case.
     */
    static Map<String, List<String>> vouched(String method, String host, String target,
            Map<String, List<String>> headers, Set<String> identity, Map<String, PublicKey> keys)
            throws SignatureException {
        if (!host.matches(HOST) || !target.startsWith("/") || target.contains("#") || target.contains("\\")) {
            throw new IllegalArgumentException("the host or the target is none");
        }
        var uri = URI.create("http://" + host.toLowerCase(Locale.ROOT) + target);
        VerificationSpec.builder()
                .signatureLabel(TAG)
                .applicationTag(TAG)
                .requiredComponents(SignatureComponents.builder().method().authority().path().query().build())
                .requiredIfPresentComponents(SignatureComponents.builder().headers(identity).build())
                // Without `created` the library does not look at `expires`.
                .requiredParameters(
                        SignatureParameterType.CREATED, SignatureParameterType.EXPIRES, SignatureParameterType.KEY_ID)
                .maximumSkew(5)
                .context(SignatureContext.builder().method(method).targetUri(uri).headers(headers).build())
                .publicKeyGetter(id -> PublicKeyInfo.builder()
                        .algorithm(SignatureAlgorithm.ED_25519)
                        .publicKey(Objects.requireNonNull(keys.get(id)))
                        .build())
                .build()
                .verify();
        var vouched = new HashMap<>(headers);
        vouched.keySet().retainAll(identity);
        return vouched;
    }
}
