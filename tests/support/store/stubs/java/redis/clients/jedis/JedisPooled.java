package redis.clients.jedis;

public class JedisPooled implements AutoCloseable {
    public JedisPooled(HostAndPort address, JedisClientConfig config) {}
    public Pipeline pipelined() { return null; }
    @Override public void close() {}
}
