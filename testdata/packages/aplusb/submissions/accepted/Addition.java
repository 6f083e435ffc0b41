import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;

class Addition {
    public static void main(String[] arguments) throws IOException {
        String[] words = new BufferedReader(new InputStreamReader(System.in)).readLine().split(" ");
        System.out.println(Long.parseLong(words[0]) + Long.parseLong(words[1]));
    }
}
