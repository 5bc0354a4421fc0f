// A certificate for `localhost` that signs itself, for tests alone: its key is public, so it protects nothing.
// Made with: openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 36500 -subj /CN=localhost

export const testCertificate = `-----BEGIN CERTIFICATE-----
MIIBfzCCASWgAwIBAgIUN73g2yAr7ykaZ/YeypFqCn8VMoAwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMDE4NTQ1N1oYDzIxMjYxMDI3
MTg1NDU3WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAQbL7kdraXMNV+2Mir5oqV6tg3eXkJvEiisuREP3NO8r4igDZUqFrBa
r1MO1a81GE66jJLATE565EcWlVFvQHTJo1MwUTAdBgNVHQ4EFgQUCuCaI/K+T8VH
FHm7UEaJwRYhe0UwHwYDVR0jBBgwFoAUCuCaI/K+T8VHFHm7UEaJwRYhe0UwDwYD
VR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNIADBFAiEA2cYBx50iGZS1oR+WLf+b
/R1ZHYvLYGBS4rFHKgMa5qgCIDwUwo/vbPoJYSkD/GQjJlO38lC7thX1YzX2xaGj
rPzP
-----END CERTIFICATE-----
`;

export const testKey = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg7uRotEI5Prk27uS0
8neztx0xpDBh3YASK8UN6u6LkKWhRANCAAQbL7kdraXMNV+2Mir5oqV6tg3eXkJv
EiisuREP3NO8r4igDZUqFrBar1MO1a81GE66jJLATE565EcWlVFvQHTJ
-----END PRIVATE KEY-----
`;
