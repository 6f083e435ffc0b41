import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.StreamTokenizer;

public class Quadratic {
    public static void main(String[] arguments) throws IOException {
        StreamTokenizer input = new StreamTokenizer(new BufferedInputStream(System.in));
        input.nextToken();
        int count = (int) input.nval, answer = 0;
        int[] rungs = new int[count], longest = new int[count];
        for (int top = 0; top < count; top++) {
            input.nextToken();
            rungs[top] = (int) input.nval;
            longest[top] = 1;
            for (int below = 0; below < top; below++)
                if (rungs[below] < rungs[top]) longest[top] = Math.max(longest[top], longest[below] + 1);
            answer = Math.max(answer, longest[top]);
        }
        System.out.println(answer);
    }
}
