import numpy as np, math
B,T,C,NH=2,4,6,2
rng=np.random.default_rng(0)
inp=rng.normal(size=(B,T,3*C)); dout=rng.normal(size=(B,T,C))
def attention_forward(inp,B,T,C,NH):
    C3=C*3; hs=C//NH; scale=1.0/math.sqrt(hs)
    preatt=np.zeros((B,NH,T,T)); att=np.zeros((B,NH,T,T)); out=np.zeros((B,T,C))
    for b in range(B):
        for t in range(T):
            for h in range(NH):
                maxval=-10000.0
                for t2 in range(t+1):
                    val=0.0
                    for i in range(hs):
                        val+=inp[b,t,h*hs+i]*inp[b,t2,C+h*hs+i]
                    val*=scale
                    if val>maxval: maxval=val
                    preatt[b,h,t,t2]=val
                expsum=0.0
                for t2 in range(t+1):
                    e=math.exp(preatt[b,h,t,t2]-maxval)
                    expsum+=e
                    att[b,h,t,t2]=e
                for t2 in range(T):
                    if t2<=t: att[b,h,t,t2]/=expsum
                    else: att[b,h,t,t2]=0.0
                for t2 in range(t+1):
                    for i in range(hs):
                        out[b,t,h*hs+i]+=att[b,h,t,t2]*inp[b,t2,2*C+h*hs+i]
    return preatt,att,out
preatt,att,out=attention_forward(inp,B,T,C,NH)
print(float(out.sum()))
