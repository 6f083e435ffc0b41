import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;

public class Surrogates {
    public static void main(String[] arguments) throws IOException {
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream output = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        int count = Integer.parseInt(input.readLine());
        while (count-- > 0) {
            // reverse() keeps surrogate pairs together.
            output.print(new StringBuilder(input.readLine()).reverse() + "\n");
        }
        output.flush();
    }
}
