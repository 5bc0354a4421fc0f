// What RocketMQ's own benchmark programs do not measure: a pull-through consumer, end-to-end latency at a given rate, many
// topics, and a backlog of a given length. One line of JSON with the result on stdout.
//   Load topic NAMESRV TOPIC QUEUES              Load fill NAMESRV TOPIC COUNT BYTES
//   Load pull NAMESRV TOPIC COUNT                Load latency NAMESRV TOPIC RATE SECONDS BYTES
//   Load topics NAMESRV COUNT THREADS
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.PullResult;
import org.apache.rocketmq.client.consumer.PullStatus;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendCallback;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.TopicConfig;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;
import org.apache.rocketmq.tools.admin.DefaultMQAdminExt;

public final class Load {
    private static String namesrv;

    public static void main(String[] args) throws Exception {
        namesrv = args[1];
        String result = switch (args[0]) {
            case "topic" -> topic(args[2], Integer.parseInt(args[3]));
            case "fill" -> fill(args[2], Integer.parseInt(args[3]), Integer.parseInt(args[4]));
            case "pull" -> pull(args[2], Integer.parseInt(args[3]));
            case "latency" -> latency(args[2], Integer.parseInt(args[3]), Integer.parseInt(args[4]), Integer.parseInt(args[5]));
            case "topics" -> topics(Integer.parseInt(args[2]), Integer.parseInt(args[3]));
            default -> throw new IllegalArgumentException(args[0]);
        };
        System.out.println(result);
        System.out.flush();
        Runtime.getRuntime().halt(0);
    }

    private static DefaultMQProducer producer() throws Exception {
        DefaultMQProducer producer = new DefaultMQProducer("bench-" + UUID.randomUUID());
        producer.setNamesrvAddr(namesrv);
        producer.setInstanceName(UUID.randomUUID().toString());
        producer.setCompressMsgBodyOverHowmuch(Integer.MAX_VALUE);
        producer.setSendMsgTimeout(20_000);
        producer.start();
        return producer;
    }

    private static DefaultMQAdminExt admin() throws Exception {
        DefaultMQAdminExt admin = new DefaultMQAdminExt(60_000);
        admin.setNamesrvAddr(namesrv);
        admin.setInstanceName(UUID.randomUUID().toString());
        admin.setVipChannelEnabled(false);
        admin.start();
        return admin;
    }

    private static String broker(DefaultMQAdminExt admin) throws Exception {
        return admin.examineBrokerClusterInfo().getBrokerAddrTable().values().iterator().next().selectBrokerAddr();
    }

    private static String topic(String name, int queues) throws Exception {
        DefaultMQAdminExt admin = admin();
        admin.createAndUpdateTopicConfig(broker(admin), new TopicConfig(name, queues, queues, 6));
        for (int i = 0; i < 600; i++) {
            try {
                admin.examineTopicRouteInfo(name);
                return "{}";
            } catch (Exception notYet) {
                Thread.sleep(100);
            }
        }
        throw new IllegalStateException("no route to " + name);
    }

    /** Sends with 512 outstanding until all are acknowledged; a failure is sent again. */
    private static String fill(String topic, int count, int bytes) throws Exception {
        DefaultMQProducer producer = producer();
        Semaphore free = new Semaphore(512);
        AtomicInteger failed = new AtomicInteger();
        byte[] body = new byte[bytes];
        Arrays.fill(body, (byte) 'x');
        long began = System.nanoTime();
        for (int sent = 0; sent < count; sent++) {
            free.acquire();
            producer.send(new Message(topic, body), new SendCallback() {
                @Override
                public void onSuccess(SendResult result) {
                    free.release();
                }

                @Override
                public void onException(Throwable failure) {
                    failed.incrementAndGet();
                    free.release();
                }
            });
            if (sent == count - 1) {
                free.acquire(512);
                count += failed.getAndSet(0);
                free.release(512);
            }
        }
        return String.format(Locale.ROOT, "{\"seconds\":%.4f}", (System.nanoTime() - began) / 1e9);
    }

    /** Reads all queues from their beginning, a thread each, 32 messages a request, until count are there. */
    private static String pull(String topic, int count) throws Exception {
        DefaultMQPullConsumer puller = new DefaultMQPullConsumer("pull-" + UUID.randomUUID());
        puller.setNamesrvAddr(namesrv);
        puller.start();
        AtomicLong got = new AtomicLong();
        List<Thread> threads = new ArrayList<>();
        long began = System.nanoTime();
        for (MessageQueue queue : puller.fetchSubscribeMessageQueues(topic)) {
            Thread thread = new Thread(() -> {
                long offset = 0;
                try {
                    while (got.get() < count) {
                        PullResult result = puller.pull(queue, "*", offset, 32);
                        offset = result.getNextBeginOffset();
                        if (result.getPullStatus() == PullStatus.FOUND) got.addAndGet(result.getMsgFoundList().size());
                        else return;
                    }
                } catch (Exception failure) {
                    failure.printStackTrace();
                }
            });
            thread.start();
            threads.add(thread);
        }
        for (Thread thread : threads) thread.join();
        return String.format(Locale.ROOT, "{\"messages\":%d,\"seconds\":%.4f}", got.get(), (System.nanoTime() - began) / 1e9);
    }

    /** Sends at an even rate; the time from when a send was due to its delivery is the latency, so no stall is left out. */
    private static String latency(String topic, int rate, int seconds, int bytes) throws Exception {
        int warmUpSeconds = 3;
        int total = rate * (seconds + warmUpSeconds);
        int ignored = rate * warmUpSeconds;
        long[] latencies = new long[total];
        AtomicInteger received = new AtomicInteger();
        DefaultMQPushConsumer consumer = new DefaultMQPushConsumer("latency-" + UUID.randomUUID());
        consumer.setNamesrvAddr(namesrv);
        consumer.subscribe(topic, "*");
        consumer.setPullBatchSize(32);
        Set<Integer> begun = ConcurrentHashMap.newKeySet();
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            long now = System.nanoTime();
            for (MessageExt message : messages) {
                begun.add(message.getQueueId());
                ByteBuffer body = ByteBuffer.wrap(message.getBody());
                int number = body.getInt();
                if (number >= 0 && number < total && latencies[number] == 0) {
                    latencies[number] = Math.max(1, now - body.getLong());
                    received.incrementAndGet();
                }
            }
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        DefaultMQProducer producer = producer();
        AtomicInteger failed = new AtomicInteger();
        // The consumer has its queues once it was given a message of each; those before number zero are not counted.
        List<MessageQueue> queues = producer.fetchPublishMessageQueues(topic);
        byte[] early = ByteBuffer.allocate(bytes).putInt(-1).putLong(0).array();
        for (int i = 0; begun.size() < queues.size(); i++) {
            if (i == 180) throw new IllegalStateException("the consumer has " + begun.size() + " of its queues after 90 s");
            for (MessageQueue queue : queues) producer.send(new Message(topic, early), queue);
            Thread.sleep(500);
        }
        for (int i = 0; i < 200; i++) producer.send(new Message(topic, early));
        Thread.sleep(1_000);
        long began = System.nanoTime();
        for (int i = 0; i < total; i++) {
            long due = began + (long) (i * 1e9 / rate);
            for (long left; (left = due - System.nanoTime()) > 0; ) LockSupport.parkNanos(left > 200_000 ? left - 100_000 : 1_000);
            producer.send(new Message(topic, ByteBuffer.allocate(bytes).putInt(i).putLong(due).array()), new SendCallback() {
                @Override
                public void onSuccess(SendResult result) {}

                @Override
                public void onException(Throwable failure) {
                    failed.incrementAndGet();
                }
            });
        }
        double tookSeconds = (System.nanoTime() - began) / 1e9;
        for (int i = 0; i < 100 && received.get() < total - failed.get(); i++) Thread.sleep(100);
        long[] counted = Arrays.stream(latencies, ignored, total).filter(one -> one > 0).sorted().toArray();
        return String.format(Locale.ROOT, "{\"sent\":%d,\"received\":%d,\"failed\":%d,\"rate\":%.0f,\"p50\":%.1f,\"p99\":%.1f,\"p999\":%.1f,\"max\":%.1f}",
            total, received.get(), failed.get(), total / tookSeconds, at(counted, 0.5), at(counted, 0.99), at(counted, 0.999), at(counted, 1));
    }

    private static double at(long[] sorted, double part) {
        return sorted.length == 0 ? -1 : sorted[(int) Math.min(sorted.length - 1, (long) (sorted.length * part))] / 1e3;
    }

    /** Makes topics, then sends one message to each. */
    private static String topics(int count, int threads) throws Exception {
        DefaultMQAdminExt admin = admin();
        String broker = broker(admin);
        DefaultMQProducer producer = producer();
        String prefix = "many-" + Long.toString(System.nanoTime(), 36) + "-";
        AtomicInteger failed = new AtomicInteger();
        long began = System.nanoTime();
        each(count, threads, i -> admin.createAndUpdateTopicConfig(broker, new TopicConfig(prefix + i, 4, 4, 6)), failed);
        long made = System.nanoTime();
        Thread.sleep(1_000);
        long sending = System.nanoTime();
        each(count, threads, i -> producer.send(new Message(prefix + i, new byte[128])), failed);
        return String.format(Locale.ROOT, "{\"madeSeconds\":%.3f,\"sentSeconds\":%.3f,\"failed\":%d}", (made - began) / 1e9, (System.nanoTime() - sending) / 1e9, failed.get());
    }

    private interface Step {
        void run(int i) throws Exception;
    }

    private static void each(int count, int threads, Step step, AtomicInteger failed) throws Exception {
        AtomicInteger next = new AtomicInteger();
        ExecutorService pool = Executors.newFixedThreadPool(threads);
        for (int t = 0; t < threads; t++) {
            pool.execute(() -> {
                for (int i; (i = next.getAndIncrement()) < count; ) {
                    try {
                        step.run(i);
                    } catch (Exception failure) {
                        failed.incrementAndGet();
                    }
                }
            });
        }
        pool.shutdown();
        pool.awaitTermination(1, TimeUnit.HOURS);
    }
}
