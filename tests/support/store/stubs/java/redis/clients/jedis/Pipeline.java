package redis.clients.jedis;

import java.io.Closeable;

public class Pipeline implements Closeable {
    public Response<String> get(String key) { return null; }
    public Response<byte[]> hget(byte[] key, byte[] field) { return null; }
    public void sync() {}
    @Override public void close() {}
}
