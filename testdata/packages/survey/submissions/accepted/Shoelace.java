import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;

public class Shoelace {
    public static void main(String[] arguments) throws IOException {
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
        int count = Integer.parseInt(input.readLine().trim());
        double[] x = new double[count], y = new double[count];
        for (int corner = 0; corner < count; corner++) {
            String[] words = input.readLine().split(" ");
            x[corner] = Double.parseDouble(words[0]);
            y[corner] = Double.parseDouble(words[1]);
        }
        double area = 0, around = 0;
        for (int corner = 0; corner < count; corner++) {
            int next = (corner + 1) % count;
            area += (x[corner] - x[0]) * (y[next] - y[0]) - (x[next] - x[0]) * (y[corner] - y[0]);
            around += Math.hypot(x[next] - x[corner], y[next] - y[corner]);
        }
        System.out.println(Math.abs(area) / 2 + " " + around);
    }
}
