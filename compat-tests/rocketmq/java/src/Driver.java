// The RocketMQ client as a process, which harness/java/Wire.java serves. The same sources are compiled against each client
// version, so types that moved between packages are never named (`var`). The verbs are listed in
// compat-tests/rocketmq/client.ts.
import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.zip.CRC32;
import org.apache.rocketmq.acl.common.AclClientRPCHook;
import org.apache.rocketmq.acl.common.SessionCredentials;
import org.apache.rocketmq.client.ClientConfig;
import org.apache.rocketmq.client.exception.MQBrokerException;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.remoting.RPCHook;

public final class Driver {
    private static final AtomicInteger IDS = new AtomicInteger();

    public static void main(String[] args) throws Exception {
        String namesrv = args[0];
        Map<String, Wire.Verb> verbs = new HashMap<>();
        new Sending(namesrv).register(verbs);
        new Pushing(namesrv).register(verbs);
        new Pulling(namesrv).register(verbs);
        new Administering(namesrv).register(verbs);
        Wire.serve(verbs, Driver::error);
    }

    /** Where a client connects to and how: {namesrv?, tls?, vip?}. */
    static void connect(ClientConfig client, Wire.Command options, String namesrv) {
        client.setNamesrvAddr(options.text("namesrv", namesrv));
        client.setUseTLS(options.flag("tls"));
        client.setVipChannelEnabled(options.flag("vip"));
        client.setPollNameServerInterval(1_000);
    }

    /** What signs a client's requests: {accessKey, secretKey}; null without them. */
    static RPCHook hook(Wire.Command options) {
        return options.has("accessKey") ? new AclClientRPCHook(new SessionCredentials(options.text("accessKey"), options.text("secretKey"))) : null;
    }

    /** An instance name that no other client of any process has. */
    static String instance() {
        return "i" + ProcessHandle.current().pid() + "x" + IDS.incrementAndGet();
    }

    /** The broker's or client's error, from the innermost cause that has a code. */
    static JsonObject error(Throwable failure) {
        Throwable shown = Wire.unwrapped(failure);
        Integer code = null;
        for (Throwable t = shown; t != null; t = t.getCause()) {
            if (t instanceof MQBrokerException broker) code = broker.getResponseCode();
            else if (t instanceof MQClientException client && code == null && client.getResponseCode() > 0) code = client.getResponseCode();
        }
        return Wire.of("kind", shown.getClass().getSimpleName(), "message", Wire.told(shown), "code", code);
    }

    static String crc(byte[] body) {
        CRC32 crc = new CRC32();
        crc.update(body);
        return Long.toHexString(crc.getValue());
    }

    /** A received message; a long body is told by its beginning, length and CRC. */
    static JsonObject shown(MessageExt from) {
        byte[] body = from.getBody() == null ? new byte[0] : from.getBody();
        String text = new String(body, StandardCharsets.UTF_8);
        return Wire.of(
            "topic", from.getTopic(), "queue", from.getQueueId(), "offset", from.getQueueOffset(),
            "body", text.substring(0, Math.min(200, text.length())), "bytes", body.length, "crc", crc(body),
            "attempts", from.getReconsumeTimes(), "key", from.getKeys(), "tag", from.getTags(), "id", from.getMsgId(),
            "flag", from.getFlag(), "sysFlag", from.getSysFlag(), "storeSize", from.getStoreSize(), "bornAt", from.getBornTimestamp(), "storedAt", from.getStoreTimestamp(),
            "bornHost", String.valueOf(from.getBornHost()), "storeHost", String.valueOf(from.getStoreHost()),
            "physicalOffset", String.valueOf(from.getCommitLogOffset()), "properties", from.getProperties());
    }

    static JsonArray shown(List<MessageExt> from) {
        JsonArray all = new JsonArray();
        if (from != null) from.forEach(one -> all.add(shown(one)));
        return all;
    }
}
