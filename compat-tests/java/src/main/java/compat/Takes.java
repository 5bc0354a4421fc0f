// Taking what a client pushed: up to count messages, or what is there when the wait is over.
package compat;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.TimeUnit;

final class Takes {
    private Takes() {}

    static void drain(BlockingQueue<JsonObject> from, int count, int waitMs, JsonArray into) throws InterruptedException {
        long deadline = System.nanoTime() + waitMs * 1_000_000L;
        while (into.size() < count) {
            JsonObject one = from.poll(Math.max(0, deadline - System.nanoTime()), TimeUnit.NANOSECONDS);
            if (one == null) return;
            into.add(one);
        }
    }
}
