package redis.clients.jedis;

public class HostAndPort {
    public HostAndPort(String host, int port) {}
}
