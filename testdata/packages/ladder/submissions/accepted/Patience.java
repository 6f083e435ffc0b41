import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.StreamTokenizer;
import java.util.Arrays;

public class Patience {
    public static void main(String[] arguments) throws IOException {
        StreamTokenizer input = new StreamTokenizer(new BufferedInputStream(System.in));
        input.nextToken();
        int count = (int) input.nval, length = 0;
        int[] ends = new int[count];
        for (int index = 0; index < count; index++) {
            input.nextToken();
            int rung = (int) input.nval;
            int place = Arrays.binarySearch(ends, 0, length, rung);
            if (place < 0) place = -place - 1;
            ends[place] = rung;
            if (place == length) length++;
        }
        System.out.println(length);
    }
}
