package redis.clients.jedis;

public final class DefaultJedisClientConfig implements JedisClientConfig {
    public static Builder builder() { return null; }

    public static class Builder {
        public DefaultJedisClientConfig build() { return null; }
        public Builder connectionTimeoutMillis(int millis) { return this; }
        public Builder socketTimeoutMillis(int millis) { return this; }
    }
}
