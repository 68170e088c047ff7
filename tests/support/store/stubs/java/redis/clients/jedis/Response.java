package redis.clients.jedis;

public class Response<T> {
    public T get() { return null; }
}
