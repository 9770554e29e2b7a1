// Takes a request only where the gate has signed it. Maven: net.visma.autopay:http-signatures

import java.net.URI;
import java.security.PublicKey;
import java.util.List;
import java.util.Map;
import net.visma.autopay.http.signature.*;

final class Verify {
    private static final String TAG = "portcullis";

    /**
     * Throws where the gate does not vouch for the request, or not for an identity header that it has.
     * A key of the gate's signs nothing else, so that the label, which is not signed, need not be.
     */
    static void check(String method, URI uri, Map<String, List<String>> headers, Map<String, PublicKey> keys)
            throws SignatureException {
        var required = SignatureComponents.builder().method().authority().path().query().build();
        var identity = SignatureComponents.builder().headers("x-user", "x-client", "x-spiffe-id").build();
        VerificationSpec.builder()
                .signatureLabel(TAG)
                .requiredComponents(required)
                .requiredIfPresentComponents(identity)
                .requiredParameters(SignatureParameterType.KEY_ID, SignatureParameterType.EXPIRES)
                .maximumAge(60)
                .maximumSkew(5)
                .context(SignatureContext.builder().method(method).targetUri(uri).headers(headers).build())
                .publicKeyGetter(id -> PublicKeyInfo.builder()
                        .algorithm(SignatureAlgorithm.ED_25519)
                        .publicKey(keys.get(id))
                        .build())
                .build()
                .verify();
    }
}
