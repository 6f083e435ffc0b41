import java.util.Scanner;

public class Halves {
    public static void main(String[] arguments) {
        Scanner answers = new Scanner(System.in);
        int low = 1, high = 1000;
        while (true) {
            int middle = (low + high) / 2;
            System.out.println(middle);
            String answer = answers.next();
            if (answer.equals("found"))
                return;
            if (answer.equals("more"))
                low = middle + 1;
            else
                high = middle - 1;
        }
    }
}
