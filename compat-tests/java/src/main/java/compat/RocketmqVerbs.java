// The verbs on the RocketMQ remoting client: producer (single, batch, chosen queue), pull by offset, push consumer
// whose listener waits until the suite says how a message is settled.
package compat;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.PullResult;
import org.apache.rocketmq.client.consumer.PullStatus;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyContext;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.ConsumeOrderlyContext;
import org.apache.rocketmq.client.consumer.listener.ConsumeOrderlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.consumer.listener.MessageListenerOrderly;
import org.apache.rocketmq.client.consumer.store.ReadOffsetType;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageConst;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

final class RocketmqVerbs {
    private final String namesrv;
    private final Map<String, DefaultMQProducer> producers = new ConcurrentHashMap<>();
    private final Map<String, DefaultMQPullConsumer> pullers = new ConcurrentHashMap<>();
    private final Map<String, Subscription> subscriptions = new ConcurrentHashMap<>();
    private final AtomicInteger ids = new AtomicInteger();

    RocketmqVerbs(String namesrv) {
        this.namesrv = namesrv;
    }

    void register(Map<String, Driver.Verb> verbs) {
        verbs.put("rocketmq.createTopic", this::createTopic);
        verbs.put("rocketmq.publish", this::publish);
        verbs.put("rocketmq.read", this::read);
        verbs.put("rocketmq.offsets", this::offsets);
        verbs.put("rocketmq.subscribe", this::subscribe);
        verbs.put("rocketmq.take", this::take);
        verbs.put("rocketmq.settle", this::settle);
        verbs.put("rocketmq.close", this::close);
        verbs.put("rocketmq.position", this::position);
    }

    private synchronized DefaultMQProducer producer(String group) throws Exception {
        DefaultMQProducer producer = producers.get(group);
        if (producer == null) {
            producer = new DefaultMQProducer(group);
            producer.setNamesrvAddr(namesrv);
            producer.setInstanceName("compat" + ids.incrementAndGet());
            producer.setMaxMessageSize(4 << 20);
            producer.setCompressMsgBodyOverHowmuch(8 << 20);
            producer.setSendMsgTimeout(10_000);
            producer.setPollNameServerInterval(1_000);
            producer.start();
            producers.put(group, producer);
        }
        return producer;
    }

    private JsonObject createTopic(JsonObject command) throws Exception {
        producer("compat-admin").createTopic("TBW102", command.get("topic").getAsString(), Wire.number(command, "queues", 1), Map.of());
        return new JsonObject();
    }

    private static Message message(String topic, JsonObject from) {
        byte[] key = Wire.bytes(from, "key");
        byte[] body = Wire.bytes(from, "body");
        Message message = new Message(topic, Wire.text(from, "tag", null), key == null ? null : new String(key, StandardCharsets.UTF_8), body);
        Wire.texts(from, "headers").forEach(message::putUserProperty);
        return message;
    }

    private JsonObject publish(JsonObject command) throws Exception {
        DefaultMQProducer producer = producer(Wire.text(command, "producer", "compat-producer"));
        producer.setRetryTimesWhenSendFailed(Wire.number(command, "retries", 2));
        String topic = command.get("topic").getAsString();
        JsonArray results = new JsonArray();
        if (Wire.flag(command, "batch", false)) {
            List<Message> batch = new ArrayList<>();
            for (JsonElement element : Wire.list(command, "messages")) batch.add(message(topic, element.getAsJsonObject()));
            SendResult sent = producer.send(batch);
            String[] ids = sent.getOffsetMsgId().split(",");
            for (int i = 0; i < batch.size(); i++) results.add(result(sent, sent.getQueueOffset() + i, ids[Math.min(i, ids.length - 1)]));
            return Wire.of("results", results);
        }
        for (JsonElement element : Wire.list(command, "messages")) {
            JsonObject from = element.getAsJsonObject();
            try {
                Message message = message(topic, from);
                SendResult sent = from.has("queue")
                    ? producer.send(message, (queues, m, queue) -> queues.stream().filter(q -> q.getQueueId() == (Integer) queue).findFirst().orElseThrow(), from.get("queue").getAsInt())
                    : producer.send(message);
                results.add(result(sent, sent.getQueueOffset(), sent.getOffsetMsgId()));
            } catch (Exception failure) {
                results.add(Wire.of("error", Wire.error(failure)));
            }
        }
        return Wire.of("results", results);
    }

    private static JsonObject result(SendResult sent, long offset, String offsetMsgId) {
        JsonObject result = new JsonObject();
        result.addProperty("queue", sent.getMessageQueue().getQueueId());
        result.addProperty("offset", offset);
        result.addProperty("id", sent.getMsgId());
        result.addProperty("offsetId", offsetMsgId);
        if (sent.getSendStatus() != SendStatus.SEND_OK) result.add("error", Wire.error(new IllegalStateException(sent.getSendStatus().name())));
        return result;
    }

    private synchronized DefaultMQPullConsumer puller(String group) throws Exception {
        DefaultMQPullConsumer puller = pullers.get(group);
        if (puller == null) {
            puller = new DefaultMQPullConsumer(group);
            puller.setNamesrvAddr(namesrv);
            puller.setInstanceName("compat" + ids.incrementAndGet());
            puller.start();
            pullers.put(group, puller);
        }
        return puller;
    }

    private JsonObject read(JsonObject command) throws Exception {
        DefaultMQPullConsumer puller = puller(Wire.text(command, "group", "compat-reader"));
        String topic = command.get("topic").getAsString();
        String tags = Wire.text(command, "tags", "*");
        int count = Wire.number(command, "count", Integer.MAX_VALUE);
        long deadline = System.nanoTime() + Wire.number(command, "waitMs", 10_000) * 1_000_000L;
        JsonArray messages = new JsonArray();
        List<MessageQueue> queues = new ArrayList<>();
        for (MessageQueue queue : puller.fetchSubscribeMessageQueues(topic)) {
            if (!command.has("queue") || queue.getQueueId() == command.get("queue").getAsInt()) queues.add(queue);
        }
        long[] next = new long[queues.size()];
        for (int i = 0; i < next.length; i++) next[i] = command.has("from") ? command.get("from").getAsLong() : 0L;
        while (messages.size() < count && System.nanoTime() < deadline) {
            boolean found = false;
            for (int i = 0; i < next.length && messages.size() < count; i++) {
                PullResult pulled = puller.pull(queues.get(i), tags, next[i], 32, 10_000);
                next[i] = pulled.getNextBeginOffset();
                found |= pulled.getPullStatus() != PullStatus.NO_NEW_MSG;
                if (pulled.getPullStatus() != PullStatus.FOUND) continue;
                for (MessageExt message : pulled.getMsgFoundList()) if (messages.size() < count) messages.add(message(message));
            }
            if (!found) Thread.sleep(50);
        }
        return Wire.of("messages", messages);
    }

    private static final Set<String> OWN_PROPERTIES = new TreeSet<>(MessageConst.STRING_HASH_SET);

    private static JsonObject message(MessageExt from) {
        JsonObject message = new JsonObject();
        message.addProperty("topic", from.getTopic());
        message.addProperty("queue", from.getQueueId());
        message.addProperty("offset", from.getQueueOffset());
        message.addProperty("timestamp", from.getBornTimestamp());
        message.addProperty("attempts", from.getReconsumeTimes());
        message.addProperty("id", from.getMsgId());
        message.add("key", from.getKeys() == null ? JsonNull.INSTANCE : Wire.base64(from.getKeys().getBytes(StandardCharsets.UTF_8)));
        message.addProperty("tag", from.getTags());
        message.add("body", Wire.base64(from.getBody()));
        JsonObject headers = new JsonObject();
        JsonObject system = new JsonObject();
        from.getProperties().forEach((name, value) -> {
            if (OWN_PROPERTIES.contains(name) || name.equals("CLUSTER")) system.addProperty(name, value);
            else headers.add(name, Wire.base64(value.getBytes(StandardCharsets.UTF_8)));
        });
        message.add("headers", headers);
        message.add("system", system);
        return message;
    }

    private MessageQueue queue(DefaultMQPullConsumer puller, JsonObject command) throws Exception {
        int wanted = Wire.number(command, "queue", 0);
        for (MessageQueue queue : puller.fetchSubscribeMessageQueues(command.get("topic").getAsString())) if (queue.getQueueId() == wanted) return queue;
        throw new IllegalArgumentException("no queue " + wanted);
    }

    private JsonObject offsets(JsonObject command) throws Exception {
        DefaultMQPullConsumer puller = puller("compat-reader");
        MessageQueue queue = queue(puller, command);
        JsonObject reply = new JsonObject();
        reply.addProperty("first", puller.minOffset(queue));
        reply.addProperty("next", puller.maxOffset(queue));
        return reply;
    }

    private record Subscription(DefaultMQPushConsumer consumer, LinkedBlockingQueue<JsonObject> ready, Map<String, CompletableFuture<Boolean>> open) {
        /** Hands a message to the suite and waits for its word; an unsettled message comes back. */
        boolean settled(MessageExt message, String handle) {
            CompletableFuture<Boolean> word = new CompletableFuture<>();
            open.put(handle, word);
            JsonObject shown = message(message);
            shown.addProperty("handle", handle);
            ready.add(shown);
            try {
                return word.get(60, TimeUnit.SECONDS);
            } catch (Exception unsettled) {
                return false;
            } finally {
                open.remove(handle);
            }
        }
    }

    private JsonObject subscribe(JsonObject command) throws Exception {
        DefaultMQPushConsumer consumer = new DefaultMQPushConsumer(command.get("group").getAsString());
        consumer.setNamesrvAddr(namesrv);
        consumer.setInstanceName("compat" + ids.incrementAndGet());
        consumer.setConsumeFromWhere("latest".equals(Wire.text(command, "from", "earliest")) ? ConsumeFromWhere.CONSUME_FROM_LAST_OFFSET : ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.setMaxReconsumeTimes(Wire.number(command, "maxAttempts", -1));
        consumer.setPullThresholdForQueue(1_000);
        int threads = Wire.number(command, "threads", 64);
        consumer.setConsumeThreadMin(threads);
        consumer.setConsumeThreadMax(threads);
        consumer.setPollNameServerInterval(1_000);
        consumer.setPersistConsumerOffsetInterval(500);
        // Now and then the client's rebalance meets its own heartbeat on the way and skips telling the broker of the new
        // subscription version; pulls are then refused (25) until the next heartbeat, by default 30 s later.
        consumer.setHeartbeatBrokerInterval(3_000);
        consumer.subscribe(command.get("topic").getAsString(), Wire.text(command, "tags", "*"));
        Subscription subscription = new Subscription(consumer, new LinkedBlockingQueue<>(), new ConcurrentHashMap<>());
        AtomicInteger handles = new AtomicInteger();
        int retryLevel = Wire.number(command, "retryLevel", 0);
        if (Wire.flag(command, "orderly", false)) {
            consumer.registerMessageListener((MessageListenerOrderly) (List<MessageExt> messages, ConsumeOrderlyContext context) -> {
                for (MessageExt message : messages) if (!subscription.settled(message, "r" + handles.incrementAndGet())) return ConsumeOrderlyStatus.SUSPEND_CURRENT_QUEUE_A_MOMENT;
                return ConsumeOrderlyStatus.SUCCESS;
            });
        } else {
            consumer.registerMessageListener((MessageListenerConcurrently) (List<MessageExt> messages, ConsumeConcurrentlyContext context) -> {
                context.setDelayLevelWhenNextConsume(retryLevel);
                for (MessageExt message : messages) if (!subscription.settled(message, "r" + handles.incrementAndGet())) return ConsumeConcurrentlyStatus.RECONSUME_LATER;
                return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
            });
        }
        consumer.start();
        String id = "q" + ids.incrementAndGet();
        subscriptions.put(id, subscription);
        return Wire.of("consumer", new JsonPrimitive(id));
    }

    private JsonObject take(JsonObject command) throws Exception {
        Subscription subscription = subscriptions.get(command.get("consumer").getAsString());
        JsonArray messages = new JsonArray();
        Takes.drain(subscription.ready(), Wire.number(command, "count", 1), Wire.number(command, "waitMs", 30_000), messages);
        return Wire.of("messages", messages);
    }

    private JsonObject settle(JsonObject command) {
        Subscription subscription = subscriptions.get(command.get("consumer").getAsString());
        boolean isAck = Wire.text(command, "how", "ack").equals("ack");
        for (JsonElement handle : Wire.list(command, "handles")) {
            CompletableFuture<Boolean> open = subscription.open().get(handle.getAsString());
            if (open == null) throw new IllegalStateException("handle " + handle + " is not open");
            open.complete(isAck);
        }
        return new JsonObject();
    }

    private JsonObject close(JsonObject command) throws Exception {
        Subscription subscription = subscriptions.remove(command.get("consumer").getAsString());
        subscription.consumer().setAwaitTerminationMillisWhenShutdown(0);
        subscription.consumer().shutdown();
        return new JsonObject();
    }

    private JsonObject position(JsonObject command) throws Exception {
        DefaultMQPullConsumer reader = new DefaultMQPullConsumer(command.get("group").getAsString());
        reader.setNamesrvAddr(namesrv);
        reader.setInstanceName("compat" + ids.incrementAndGet());
        reader.start();
        try {
            JsonObject queues = new JsonObject();
            for (MessageQueue queue : reader.fetchSubscribeMessageQueues(command.get("topic").getAsString())) {
                long offset = reader.getOffsetStore().readOffset(queue, ReadOffsetType.READ_FROM_STORE);
                if (offset >= 0) queues.addProperty(String.valueOf(queue.getQueueId()), offset);
            }
            return Wire.of("queues", queues);
        } finally {
            reader.shutdown();
        }
    }
}
