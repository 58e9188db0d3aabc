import com.google.crypto.tink.subtle.AesGcmHkdfStreaming;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;

/** Opens a sealed record with Tink: Open RECORD KEYFILE SEALED OUT */
public final class Open {
    public static void main(String[] args) throws Exception {
        if (args.length != 4) {
            throw new IllegalArgumentException("usage: Open RECORD KEYFILE SEALED OUT");
        }
        byte[] recordId = HexFormat.of().parseHex(args[0]);
        byte[] dataKey = HexFormat.of().parseHex(Files.readString(Path.of(args[1])).strip());
        var cipher = new AesGcmHkdfStreaming(dataKey, "HmacSha256", 32, 1048576, 0);
        Path out = Path.of(args[3]);
        Path part = Path.of(args[3] + ".part");
        try (InputStream sealed = Files.newInputStream(Path.of(args[2]));
                InputStream plain = cipher.newDecryptingStream(sealed, recordId)) {
            Files.copy(plain, part);
            Files.move(part, out);
        } finally {
            Files.deleteIfExists(part); // only the whole record is the record
        }
    }
}
