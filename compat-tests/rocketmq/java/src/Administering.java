// What mqadmin and the dashboard do, through the same class they use.
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.rocketmq.client.trace.TraceView;
import org.apache.rocketmq.common.TopicConfig;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;
import org.apache.rocketmq.tools.admin.DefaultMQAdminExt;

final class Administering {
    private final String namesrv;
    private DefaultMQAdminExt admin;

    Administering(String namesrv) {
        this.namesrv = namesrv;
    }

    private synchronized DefaultMQAdminExt admin() throws Exception {
        if (admin == null) {
            DefaultMQAdminExt made = new DefaultMQAdminExt(20_000);
            made.setNamesrvAddr(namesrv);
            made.setInstanceName(Driver.instance());
            made.setVipChannelEnabled(false);
            made.start();
            admin = made;
        }
        return admin;
    }

    private String broker() throws Exception {
        return admin().examineBrokerClusterInfo().getBrokerAddrTable().values().iterator().next().selectBrokerAddr();
    }

    private static Map<String, Long> byQueue(Map<MessageQueue, Long> table) {
        Map<String, Long> byQueue = new TreeMap<>();
        table.forEach((queue, offset) -> byQueue.put(queue.getTopic() + "/" + queue.getQueueId(), offset));
        return byQueue;
    }

    void register(Map<String, Wire.Verb> verbs) {
        verbs.put("createTopic", command -> {
            int queues = command.number("queues", 4);
            admin().createAndUpdateTopicConfig(broker(), new TopicConfig(command.text("topic"), command.number("readQueues", queues), queues, command.number("perm", 6)));
            return Wire.of();
        });
        verbs.put("topicConfig", command -> {
            TopicConfig config = admin().examineTopicConfig(broker(), command.text("topic"));
            return Wire.of("read", config.getReadQueueNums(), "write", config.getWriteQueueNums(), "perm", config.getPerm());
        });
        verbs.put("deleteTopic", command -> {
            admin().deleteTopicInBroker(Set.of(broker()), command.text("topic"));
            deleteRoute(command.text("topic"));
            return Wire.of();
        });
        verbs.put("createGroup", this::createGroup);
        verbs.put("deleteGroup", command -> {
            admin().deleteSubscriptionGroup(broker(), command.text("group"));
            return Wire.of();
        });
        verbs.put("topics", command -> Wire.of("topics", new TreeSet<>(admin().fetchAllTopicList().getTopicList())));
        verbs.put("route", command -> {
            var route = admin().examineTopicRouteInfo(command.text("topic"));
            var queues = route.getQueueDatas().get(0);
            return Wire.of("brokers", route.getBrokerDatas().size(), "read", queues.getReadQueueNums(), "write", queues.getWriteQueueNums(), "perm", queues.getPerm());
        });
        verbs.put("topicStats", command -> {
            Map<String, Object> stats = new TreeMap<>();
            admin().examineTopicStats(command.text("topic")).getOffsetTable()
                .forEach((queue, offset) -> stats.put(String.valueOf(queue.getQueueId()), Wire.of("min", offset.getMinOffset(), "max", offset.getMaxOffset())));
            return Wire.of("queues", stats);
        });
        // The last offset stored at or before a time; only clients from 5 on ask for it.
        verbs.put("lastOffsetAt", command -> {
            MessageQueue queue = new MessageQueue(command.text("topic"), admin().examineTopicRouteInfo(command.text("topic")).getQueueDatas().get(0).getBrokerName(), command.number("queue", 0));
            Object found = DefaultMQAdminExt.class.getMethod("searchUpperBoundaryOffset", MessageQueue.class, long.class).invoke(admin(), queue, command.number("timestamp", 0L));
            return Wire.of("offset", found);
        });
        verbs.put("view", command -> Wire.of("messages", List.of(Driver.shown(admin().viewMessage(command.text("topic"), command.text("message"))))));
        verbs.put("byKey", command -> {
            long end = command.number("end", Long.MAX_VALUE);
            var found = admin().queryMessage(command.text("topic"), command.text("key"), command.number("max", 64), command.number("begin", 0L), end);
            return Wire.of("messages", Driver.shown(found.getMessageList()));
        });
        verbs.put("resetOffset", command -> Wire.of("offsets", byQueue(admin().resetOffsetByTimestamp(command.text("topic"), command.text("group"), command.number("timestamp", 0L), true))));
        verbs.put("cloneOffset", command -> {
            admin().cloneGroupOffset(command.text("from"), command.text("to"), command.text("topic"), true);
            return Wire.of();
        });
        verbs.put("progress", command -> {
            Map<String, Object> queues = new TreeMap<>();
            var stats = command.has("topic") ? admin().examineConsumeStats(command.text("group"), command.text("topic")) : admin().examineConsumeStats(command.text("group"));
            stats.getOffsetTable().forEach((queue, offset) -> queues.put(queue.getTopic() + "/" + queue.getQueueId(),
                Wire.of("broker", offset.getBrokerOffset(), "consumer", offset.getConsumerOffset())));
            return Wire.of("queues", queues);
        });
        verbs.put("connections", this::connections);
        verbs.put("producerConnections", command -> Wire.of("count", admin().examineProducerConnectionInfo(command.text("group"), command.text("topic")).getConnectionSet().size()));
        verbs.put("whoConsumes", command -> Wire.of("groups", new TreeSet<>(admin().queryTopicConsumeByWho(command.text("topic")).getGroupList())));
        verbs.put("runningInfo", this::runningInfo);
        verbs.put("clientStatus", command -> {
            Map<String, Object> clients = new HashMap<>();
            admin().getConsumeStatus(command.text("topic"), command.text("group"), command.text("client", "")).forEach((client, table) -> clients.put(client, byQueue(table)));
            return Wire.of("clients", clients);
        });
        verbs.put("consumeDirectly", command -> {
            var result = admin().consumeMessageDirectly(command.text("group"), command.text("client"), command.text("topic"), command.text("message"));
            return Wire.of("result", result.getConsumeResult(), "order", result.isOrder());
        });
        verbs.put("traces", this::traces);
    }

    /** 4.9 has a method with the cluster's name behind the topic; in 5.x that name comes first, and may be left out. */
    private void deleteRoute(String topic) throws Exception {
        try {
            DefaultMQAdminExt.class.getMethod("deleteTopicInNameServer", Set.class, String.class).invoke(admin(), Set.of(namesrv), topic);
        } catch (NoSuchMethodException older) {
            String cluster = admin().examineBrokerClusterInfo().getClusterAddrTable().keySet().iterator().next();
            admin().deleteTopicInNameServer(Set.of(namesrv), topic, cluster);
        }
    }

    /** The configuration class has moved between packages, so it is found by either name. */
    private JsonElement createGroup(Wire.Command command) throws Exception {
        Class<?> type;
        try {
            type = Class.forName("org.apache.rocketmq.remoting.protocol.subscription.SubscriptionGroupConfig");
        } catch (ClassNotFoundException older) {
            type = Class.forName("org.apache.rocketmq.common.subscription.SubscriptionGroupConfig");
        }
        Object config = type.getConstructor().newInstance();
        type.getMethod("setGroupName", String.class).invoke(config, command.text("group"));
        if (command.has("retryMaxTimes")) type.getMethod("setRetryMaxTimes", int.class).invoke(config, command.number("retryMaxTimes", 16));
        if (command.has("consumeEnable")) type.getMethod("setConsumeEnable", boolean.class).invoke(config, command.flag("consumeEnable"));
        DefaultMQAdminExt.class.getMethod("createAndUpdateSubscriptionGroupConfig", String.class, type).invoke(admin(), broker(), config);
        return Wire.of();
    }

    private JsonElement connections(Wire.Command command) throws Exception {
        var connection = admin().examineConsumerConnectionInfo(command.text("group"));
        Map<String, Object> clients = new TreeMap<>();
        for (var one : connection.getConnectionSet()) clients.put(one.getClientId(), Wire.of("language", one.getLanguage()));
        Map<String, String> subscriptions = new TreeMap<>();
        connection.getSubscriptionTable().forEach((topic, data) -> subscriptions.put(topic, data.getSubString()));
        return Wire.of("clients", clients, "subscriptions", subscriptions, "type", connection.getConsumeType(), "model", connection.getMessageModel(), "from", connection.getConsumeFromWhere());
    }

    private JsonElement runningInfo(Wire.Command command) throws Exception {
        var info = admin().getConsumerRunningInfo(command.text("group"), command.text("client"), command.flag("stack"));
        Map<String, String> subscriptions = new TreeMap<>();
        info.getSubscriptionSet().forEach(data -> subscriptions.put(data.getTopic(), data.getSubString()));
        Map<String, Object> queues = new TreeMap<>();
        info.getMqTable().forEach((queue, state) -> queues.put(queue.getTopic() + "/" + queue.getQueueId(), state.getCommitOffset()));
        return Wire.of("subscriptions", subscriptions, "queues", queues, "hasStack", info.getJstack() != null && !info.getJstack().isEmpty(),
            "properties", info.getProperties().size(), "statuses", info.getStatusTable().size());
    }

    /** The trace of a message as mqadmin's queryMsgTraceById decodes it. */
    private JsonElement traces(Wire.Command command) throws Exception {
        JsonArray views = new JsonArray();
        var found = admin().queryMessage(command.text("topic"), command.text("message"), 64, 0, Long.MAX_VALUE);
        for (MessageExt message : found.getMessageList()) {
            for (TraceView view : TraceView.decodeFromTraceTransData(command.text("message"), message)) {
                JsonObject shown = Wire.of("type", view.getMsgType(), "group", view.getGroupName(), "topic", view.getTopic(), "keys", view.getKeys(), "tag", view.getTags(), "status", view.getStatus());
                views.add(shown);
            }
        }
        return Wire.of("views", views);
    }
}
