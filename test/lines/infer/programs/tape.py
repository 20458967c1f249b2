import numpy as np
class T:
    def __init__(s,data,parents=(),back=None): s.data=np.asarray(data,float); s.grad=np.zeros_like(s.data); s.parents=parents; s.back=back
    def __matmul__(s,o):
        out=T(s.data@o.data,(s,o))
        def back():
            s.grad+=out.grad@o.data.T; o.grad+=s.data.T@out.grad
        out.back=back; return out
    def transpose(s):
        out=T(s.data.T,(s,))
        def back(): s.grad+=out.grad.T
        out.back=back; return out
    def scale(s,c):
        out=T(s.data*c,(s,))
        def back(): s.grad+=out.grad*c
        out.back=back; return out
    def softmax(s):
        e=np.exp(s.data-s.data.max(1,keepdims=True)); p=e/e.sum(1,keepdims=True); out=T(p,(s,))
        def back(): s.grad+=p*(out.grad-(out.grad*p).sum(1,keepdims=True))
        out.back=back; return out
    def backward(s,g):
        order,seen=[],set()
        def visit(t):
            if id(t) in seen: return
            seen.add(id(t))
            for p in t.parents: visit(p)
            order.append(t)
        visit(s); s.grad=g
        for t in reversed(order):
            if t.back: t.back()
rng=np.random.default_rng(0)
x=T(rng.normal(size=(5,4))); wq,wk,wv=(T(rng.normal(size=(4,3))) for _ in range(3))
q,k,v=x@wq,x@wk,x@wv
y=((q@k.transpose()).scale(3**-.5)).softmax()@v
target=rng.normal(size=y.data.shape)
y.backward(y.data-target)
print(float(y.data.sum()))
